package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/template"
	"time"

	"varve/authz"
	"varve/web"
)

// firstTerm is how long the token that the first start makes counts.
const firstTerm = 30 * 24 * time.Hour

// greeting is printed when serve is ready. The last word of its first line is
// the URL, for programs.
var greeting = template.Must(template.New("greeting").Parse(`varve serves {{.Dir}} at {{.URL}}
{{if .File}}
Browser:  {{.URL}}/
Name:     {{.User}} (any will do)
Password: {{if .Token}}{{.Token}}{{else}}in {{.File}}{{end}}

To mount it (more: varve help mounting), first TOKEN=$(cat {{.QuotedFile}})
{{range .Mounts}}
  {{.Client}}
    {{.Command}}{{with .Note}}
    {{.}}{{end}}
{{end}}
An agent's session: varve token --data {{.QuotedDir}} --session new
{{else}}
A token to mount it with: varve token --data {{.QuotedDir}} --user {{.User}}
{{end}}`))

// welcome prints where to point clients at, with the first user's token: on a
// terminal itself, else where it lies.
func welcome(ctx context.Context, out io.Writer, s *service, base string) error {
	base = strings.TrimSuffix(base, "/")
	file := filepath.Join(s.dir, "first-token")
	token, err := s.firstToken(ctx, file)
	if token == "" {
		file = ""
	}
	if !isTerminal(out) {
		token = ""
	}
	var text bytes.Buffer
	err = errors.Join(err, greeting.Execute(&text, map[string]any{
		"Dir": s.dir, "QuotedDir": quote(s.dir), "File": file, "QuotedFile": quote(file),
		"URL": base, "Mounts": web.Mounts(base, ""), "User": defaultUser, "Token": token,
	}))
	_, writeErr := out.Write(text.Bytes())
	return errors.Join(err, writeErr)
}

// firstToken is the token in file while it counts. A store in which nothing
// happened yet gets one; on any other an absent file means that somebody took
// it away, so there is none.
func (s *service) firstToken(ctx context.Context, file string) (string, error) {
	text, err := os.ReadFile(file)
	if err == nil {
		token := strings.TrimSpace(string(text))
		_, err := s.authority.Verify(ctx, token)
		if errors.Is(err, authz.ErrUnauthorized) {
			return "", nil
		}
		return token, err
	}
	if !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	if s.log.Seq() > 1 {
		return "", nil
	}
	token, err := s.keys.Mint(time.Now(), authz.Claims{Sub: defaultUser, TTL: firstTerm})
	if err != nil {
		return "", err
	}
	return token, os.WriteFile(file, fmt.Appendln(nil, token), 0o600)
}

// quote makes s one word of a POSIX shell.
func quote(s string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-"
	if s != "" && strings.Trim(s, plain) == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
