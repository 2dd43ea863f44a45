package main

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"text/tabwriter"
	"time"
)

// mountToken is one as the API shows it.
type mountToken struct {
	ID       string
	Name     string
	Session  string
	Created  time.Time
	Expires  time.Time
	LastUsed time.Time `json:"last_used"`
	Revoked  bool
	Token    string // of one just made
}

// until is how long it counts.
func (m mountToken) until() string {
	switch {
	case m.Revoked:
		return "revoked"
	case m.Expires.IsZero():
		return "without end"
	}
	return "until " + stamp(m.Expires)
}

type tokenList struct {
	clientFlags
	User string `help:"Whose; with --server another than --token's user needs scope admin. Default user." placeholder:"NAME"`
}

// Run lists the mount tokens of a user.
func (t tokenList) Run(ctx context.Context, c *console) error {
	api, err := t.dial(ctx, c)
	if err != nil {
		return err
	}
	defer api.Close()
	if err := t.as(ctx, c, api, t.User); err != nil {
		return err
	}
	var all struct{ Tokens []mountToken }
	if err := api.do(ctx, http.MethodGet, "/api/tokens", nil, &all); err != nil {
		return err
	}
	w := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tSESSION\tCREATED\tLAST USED\tCOUNTS\tNAME")
	for _, m := range all.Tokens {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", m.ID, cmp.Or(m.Session, "-"), stamp(m.Created), stamp(m.LastUsed), m.until(), m.Name)
	}
	return w.Flush()
}

type tokenRevoke struct {
	clientFlags
	ID string `arg:"" help:"Of a mount token as varve token list shows it, or the jti of a JWT."`
}

// Run revokes a token.
func (t tokenRevoke) Run(ctx context.Context, c *console) error {
	api, err := t.dial(ctx, c)
	if err != nil {
		return err
	}
	defer api.Close()
	if err := api.do(ctx, http.MethodDelete, "/api/tokens/"+url.PathEscape(t.ID), nil, nil); err != nil {
		return err
	}
	_, err = fmt.Fprintln(c.out, "revoked", t.ID)
	return err
}
