package web

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"
	"strings"
)

//go:embed page.html
var pageHTML string

//go:embed page.css
var pageCSS string

// start is the page at /: what this is and how to mount it. It needs nothing
// from anywhere else and runs no script.
type start struct {
	page   *template.Template
	policy string // Content-Security-Policy: this style sheet and nothing else
}

func newStart() (start, error) {
	page, err := template.New("page").Funcs(template.FuncMap{"words": strings.Fields}).Parse(pageHTML)
	sum := sha256.Sum256([]byte(pageCSS))
	return start{page, "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
		"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"}, err
}

// getPage serves the page, with URLs as this client reaches them.
func (s *Server) getPage(w *response, r *http.Request) error {
	base := s.base(r)
	var b bytes.Buffer
	err := s.start.page.Execute(&b, map[string]any{
		"Style":   template.CSS(pageCSS),
		"Base":    base,
		"Mounts":  Mounts(base, ""),
		"Asks":    s.takesBasic(r),
		"Version": s.cfg.Version,
	})
	if err != nil {
		return fmt.Errorf("page: %w", err)
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", s.start.policy)
	h.Set("Cache-Control", "no-store") // it shows the host it was asked for
	_, _ = w.Write(b.Bytes())
	return nil
}

// getIcon spares browsers, which ask for one whatever a page says, an error.
func (s *Server) getIcon(w *response, _ *http.Request) error {
	w.Header().Set("Cache-Control", "public, max-age=86400")
	w.WriteHeader(http.StatusNoContent)
	return nil
}
