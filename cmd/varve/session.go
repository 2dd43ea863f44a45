package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"text/tabwriter"
	"time"
)

type sessionCmd struct {
	Create sessionCreate `cmd:"" help:"Create a session and print a token for it."`
	List   sessionList   `cmd:"" help:"List sessions, newest first."`
	Show   sessionShow   `cmd:"" help:"Show one session."`
	End    sessionEnd    `cmd:"" help:"End a session: nothing writes to it any more, its owner still reads it."`
}

// Help is shown by varve session --help.
func (sessionCmd) Help() string {
	return `Talks to the running server through DIR/control.sock, as an operator, or opens the store itself
when none runs. With --server URL it talks to that one, as whoever --token stands for.`
}

type sessionCreate struct {
	clientFlags
	User string `help:"Who owns it; with --server another than --token's user needs scope admin. Default user." placeholder:"NAME"`
	ID   string `help:"Its id, 8 to 64 of A-Z a-z 0-9 _ -; made if not given." placeholder:"ID"`
	Name string `help:"What people call it." placeholder:"TEXT"`
}

// Help is shown by varve session create --help.
func (sessionCreate) Help() string {
	return `Prints the session's token as the only line of standard output, and its id on standard error.
Scripts that need the id choose it: --id "$ID".`
}

// session is one as the API shows it.
type session struct {
	ID      string
	Name    string
	Owner   string
	Created time.Time
	Ended   time.Time
	Token   string // of a session just created
}

// Run creates a session, as its owner.
func (s sessionCreate) Run(ctx context.Context, c *console) error {
	api, err := s.dial(ctx, c)
	if err != nil {
		return err
	}
	defer api.Close()
	if err := s.as(ctx, c, api, s.User); err != nil {
		return err
	}
	var made session
	if err := api.do(ctx, http.MethodPost, "/api/sessions", sessionRequest{s.ID, s.Name}, &made); err != nil {
		return err
	}
	fmt.Fprintln(c.err, "session", made.ID)
	if made.Token == "" {
		fmt.Fprintln(c.err, "varve: no token for it: a mount token makes none")
		return nil
	}
	_, err = fmt.Fprintln(c.out, made.Token)
	return err
}

// sessionRequest is what POST /api/sessions takes.
type sessionRequest struct {
	ID   string `json:"id,omitempty"`
	Name string `json:"name,omitempty"`
}

type sessionList struct {
	clientFlags
}

// Run lists the sessions the caller may see, page by page.
func (s sessionList) Run(ctx context.Context, c *console) error {
	api, err := s.dial(ctx, c)
	if err != nil {
		return err
	}
	defer api.Close()
	w := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tOWNER\tCREATED\tENDED\tNAME")
	for after := ""; ; {
		var page struct {
			Sessions []session
			Next     string
		}
		if err := api.do(ctx, http.MethodGet, "/api/sessions?after="+url.QueryEscape(after), nil, &page); err != nil {
			return err
		}
		for _, one := range page.Sessions {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", one.ID, one.Owner, stamp(one.Created), stamp(one.Ended), one.Name)
		}
		if after = page.Next; after == "" {
			return w.Flush()
		}
	}
}

type sessionShow struct {
	clientFlags
	ID string `arg:"" help:"The session."`
}

// Run shows a session.
func (s sessionShow) Run(ctx context.Context, c *console) error {
	return s.one(ctx, c, http.MethodGet, s.ID)
}

type sessionEnd struct {
	clientFlags
	ID string `arg:"" help:"The session."`
}

// Run ends a session and shows what it was.
func (s sessionEnd) Run(ctx context.Context, c *console) error {
	return s.one(ctx, c, http.MethodDelete, s.ID)
}

// one does method to a session and prints the session it answers with.
func (f clientFlags) one(ctx context.Context, c *console, method, id string) error {
	api, err := f.dial(ctx, c)
	if err != nil {
		return err
	}
	defer api.Close()
	var s session
	if err := api.do(ctx, method, "/api/sessions/"+url.PathEscape(id), nil, &s); err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.out, "session  %s\nowner    %s\nname     %s\ncreated  %s\nended    %s\n",
		s.ID, s.Owner, s.Name, stamp(s.Created), stamp(s.Ended))
	return err
}

// stamp is a time as people read it; "-" for none.
func stamp(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02 15:04:05Z")
}
