package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"varve/authz"
)

// clientFlags say which server a command talks to: that of a store in a
// directory, or one at a URL.
type clientFlags struct {
	dataFlag
	Server string `help:"Talk to the server at this URL, with a token, instead of the one of --data." placeholder:"URL"`
	Token  string `help:"Token to show to --server." placeholder:"TOKEN"`
}

// client speaks a server's JSON API. Close it.
type client struct {
	http  http.Client
	base  string
	token string // empty on the control socket: an operator
	brief io.Closer
}

// dial reaches the server the flags name. When none runs on the store, the store
// is opened for as long as the client is.
func (f clientFlags) dial(ctx context.Context, c *console) (*client, error) {
	if f.Server != "" {
		if f.Token == "" {
			return nil, hint(usagef("--server needs --token"), "on the server, varve token --user NAME makes one")
		}
		if u, err := url.Parse(f.Server); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return nil, usagef("--server %q: want http://HOST or https://HOST", f.Server)
		}
		return &client{base: strings.TrimSuffix(f.Server, "/"), token: f.Token, http: http.Client{Timeout: time.Minute}}, nil
	}
	path := controlSocket(f.Data)
	api := &client{base: "http://varve", http: http.Client{Timeout: time.Minute, Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", path)
		},
	}}}
	conn, err := new(net.Dialer).DialContext(ctx, "unix", path)
	switch {
	case err == nil:
		return api, conn.Close()
	case errors.Is(err, os.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		api.brief, err = brief(ctx, c, f.Data)
		return api, err
	}
	return nil, fmt.Errorf("cannot reach the server of %s: %w", f.Data, err)
}

// as has api act for user: by a token from the keys of the store, or by one that
// the server makes for an operator. With --server and no user it stays whoever
// --token stands for.
func (f clientFlags) as(ctx context.Context, c *console, api *client, user string) (err error) {
	if f.Server == "" {
		api.token, err = mint(c, f.Data, authz.Claims{Sub: cmp.Or(user, defaultUser)})
		return err
	}
	if user == "" {
		return nil
	}
	var made struct{ Token string }
	if err := api.do(ctx, http.MethodPost, "/api/tokens", tokenRequest{Sub: user}, &made); err != nil {
		return hint(fmt.Errorf("a token for --user %s: %w", user, err), "only a --token with scope admin acts for others")
	}
	api.token = made.Token
	return nil
}

// Close ends the connections, and the store's service if dial began one.
func (c *client) Close() error {
	c.http.CloseIdleConnections()
	if c.brief == nil {
		return nil
	}
	return c.brief.Close()
}

// do sends in as JSON, if it is not nil, and reads the answer into out, if that
// is not nil.
func (c *client) do(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "varve/"+version())
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	answer, err := c.http.Do(r)
	if u, ok := errors.AsType[*url.Error](err); ok && ctx.Err() == nil {
		return hint(fmt.Errorf("cannot reach the server at %s: %w", c.base, u.Err), "is varve serve running, and at this URL?")
	}
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode >= 300 {
		return problem(answer)
	}
	if out == nil {
		return nil
	}
	return json.NewDecoder(answer.Body).Decode(out)
}

// problem is the error an answer tells of (RFC 9457), with what it says is wrong
// with each part of the request.
func problem(answer *http.Response) error {
	var p struct {
		Title, Detail string
		Errors        []struct{ Message, Location string }
	}
	text, err := io.ReadAll(io.LimitReader(answer.Body, 64<<10))
	if err != nil {
		return err
	}
	if json.Unmarshal(text, &p) != nil || p.Title+p.Detail == "" {
		return fmt.Errorf("the server answered %s", answer.Status)
	}
	said := strings.Join(slices.DeleteFunc([]string{p.Title, p.Detail}, isEmpty), ": ")
	for _, e := range p.Errors {
		said += "; " + strings.Join(slices.DeleteFunc([]string{e.Location, e.Message}, isEmpty), ": ")
	}
	return fmt.Errorf("the server answered %s", said)
}

func isEmpty(s string) bool { return s == "" }
