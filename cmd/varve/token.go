package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"strings"
	"time"

	"varve/authz"
	"varve/layers"
)

// mountTerm is how long a mount token counts that nobody stated a term for: a
// mount outlives a working day.
const mountTerm = 365 * 24 * time.Hour

type tokenCmd struct {
	Make   tokenMake   `cmd:"" default:"withargs" help:"Make a token for a user or a session; varve token is short for it."`
	List   tokenList   `cmd:"" help:"List a user's mount tokens, newest first."`
	Revoke tokenRevoke `cmd:"" help:"Revoke a token at once."`
}

type tokenMake struct {
	clientFlags
	User    string `help:"Whose token it is; with --session, who owns the session. Default user; with --server, that of --token." placeholder:"NAME"`
	Session string `help:"Bind it to this session (8 to 64 of A-Z a-z 0-9 _ -), which its first write creates; new makes an id." placeholder:"ID"`
	Scope   string `help:"Rights: some of read, write, share, publish, export, admin. Default read and write." placeholder:"SCOPES"`
	Path    string `help:"Confine it to this directory or file of the home." placeholder:"PATH"`
	Aud     string `help:"Audience it names (claim aud)." placeholder:"NAME"`
	TTL     term   `help:"How long it counts, such as 90d or 12h. Default 24h; with --mount 365d, and with --server as long as --token." placeholder:"TERM"`
	Mount   bool   `help:"Make a mount token, short enough for the password field of any client and revocable."`
	Note    string `help:"What people call the mount token." placeholder:"TEXT"`
}

// Help is shown by varve token --help.
func (tokenMake) Help() string {
	return `Prints a token as the only line of standard output; the id of a session or a mount token goes to
standard error. Without --mount it needs no server, only DIR/keys, and makes both if missing: a JWT
signed with the key in DIR. With --mount it asks the running server (or opens the store itself when
none runs). varve token list and varve token revoke ID show and end mount tokens. See varve help
tokens.`
}

// Run prints the token.
func (t tokenMake) Run(ctx context.Context, c *console) error {
	claims, token, err := t.make(ctx, c)
	if errors.Is(err, fs.ErrInvalid) {
		return hint(usageError{err}, "varve help tokens says what a token can hold")
	}
	if err != nil {
		return err
	}
	if len(token) > authz.MaxPassword {
		fmt.Fprintf(c.err, "varve: this token has %d characters; Finder, Explorer and davfs2 cut passwords after %d\n", len(token), authz.MaxPassword)
		fmt.Fprintln(c.err, "hint: --mount makes one that fits")
	}
	if t.Session == newSession {
		fmt.Fprintln(c.err, "session", claims.Session)
	}
	_, err = fmt.Fprintln(c.out, token)
	return err
}

// make makes the token, from the keys or by the server.
func (t tokenMake) make(ctx context.Context, c *console) (claims authz.Claims, token string, err error) {
	if claims, err = t.claims(); err != nil {
		return claims, "", err
	}
	switch {
	case t.Mount:
		token, err = t.mount(ctx, c, claims)
	case t.Server != "":
		err = usagef("--server is for --mount: without it a token is made from the keys in --data")
	default:
		token, err = mint(c, t.Data, claims)
	}
	return claims, token, err
}

// newSession asks for an id to be made.
const newSession = "new"

// claims are what the flags ask for; what no token may say is refused by Mint.
func (t tokenMake) claims() (authz.Claims, error) {
	switch {
	case t.Session == "" && t.User == "" && t.Server == "":
		return authz.Claims{}, usagef("say whose token: --user NAME, or --session ID")
	case t.Session == newSession && t.Server != "":
		return authz.Claims{}, hint(usagef("--session new is for tokens made from the keys in --data"), "varve session create --server URL makes a session there")
	}
	scopes, err := authz.ParseScopes(t.Scope)
	if err != nil {
		return authz.Claims{}, err
	}
	path, _, err := layers.New(layers.Config{}).Limits().Clean(t.Path)
	if err != nil {
		return authz.Claims{}, fmt.Errorf("--path: %w", err)
	}
	if t.Session == newSession {
		t.Session = layers.NewSessionID()
	}
	ttl := time.Duration(t.TTL)
	if ttl == 0 && t.Mount {
		ttl = mountTerm
	}
	return authz.Claims{Sub: cmp.Or(t.User, defaultUser), Session: t.Session, Scopes: scopes, Path: path, Aud: t.Aud, TTL: ttl}, nil
}

// mint signs claims with the key of the store in dir.
func mint(c *console, dir string, claims authz.Claims) (string, error) {
	keys, made, err := openKeys(dir)
	if err != nil {
		return "", err
	}
	if made {
		noteKey(c, dir)
	}
	return keys.Mint(time.Now(), claims)
}

// mount asks the server for a mount token and tells its id. To the store's own
// server it shows a JWT with the very rights asked for, since no token mints more
// than it has.
func (t tokenMake) mount(ctx context.Context, c *console, claims authz.Claims) (string, error) {
	server, err := t.dial(ctx, c)
	if err != nil {
		return "", err
	}
	defer server.Close()
	want := tokenRequest{Mount: true, Name: t.Note, Session: claims.Session, Scopes: strings.Fields(claims.Scopes.String())}
	if claims.Path != "." {
		want.Path = claims.Path
	}
	if t.Server == "" {
		if server.token, err = mint(c, t.Data, claims); err != nil {
			return "", err
		}
	} else {
		want.Sub = t.User
		if t.TTL != 0 {
			want.TTL = t.TTL.String()
		}
	}
	var made mountToken
	if err := server.do(ctx, http.MethodPost, "/api/tokens", want, &made); err != nil {
		return "", err
	}
	fmt.Fprintf(c.err, "mount token %s, %s\n", made.ID, made.until())
	return made.Token, nil
}

// tokenRequest is what POST /api/tokens takes; without a TTL a mount token
// counts as long as the token that asks for it.
type tokenRequest struct {
	Mount   bool     `json:"mount"`
	Name    string   `json:"name,omitempty"`
	Sub     string   `json:"sub,omitempty"`
	Session string   `json:"session,omitempty"`
	Scopes  []string `json:"scopes,omitempty"`
	Path    string   `json:"path,omitempty"`
	TTL     string   `json:"ttl,omitempty"`
}
