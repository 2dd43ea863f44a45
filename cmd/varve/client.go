package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"time"
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
func (f clientFlags) dial(ctx context.Context) (*client, error) {
	if f.Server != "" {
		if f.Token == "" {
			return nil, hint(usagef("--server needs --token"), "on the server, varve token --user NAME makes one")
		}
		return &client{base: strings.TrimSuffix(f.Server, "/"), token: f.Token, http: http.Client{Timeout: time.Minute}}, nil
	}
	path := controlSocket(f.Data)
	c := &client{base: "http://varve", http: http.Client{Timeout: time.Minute, Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", path)
		},
	}}}
	conn, err := new(net.Dialer).DialContext(ctx, "unix", path)
	switch {
	case err == nil:
		return c, conn.Close()
	case errors.Is(err, os.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		c.brief, err = brief(ctx, f.Data)
		return c, err
	}
	return nil, err
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

// problem is the error an answer tells of (RFC 9457).
func problem(answer *http.Response) error {
	var p struct{ Title, Detail string }
	text, err := io.ReadAll(io.LimitReader(answer.Body, 64<<10))
	if err != nil {
		return err
	}
	if json.Unmarshal(text, &p) != nil || p.Title+p.Detail == "" {
		return fmt.Errorf("the server answered %s", answer.Status)
	}
	if p.Detail == "" {
		return fmt.Errorf("the server answered %s", p.Title)
	}
	return fmt.Errorf("the server answered %s: %s", p.Title, p.Detail)
}
