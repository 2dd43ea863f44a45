package web

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"varve/layers"
)

// route is a row of the table.
type route struct {
	method, path string
	access       access
	serve        endpoint
	summary      string
}

// mounted is a route at one concrete path. It is the huma.Adapter that its operation is
// registered with.
type mounted struct {
	server  *Server
	method  string
	pattern []string // elements; "{x}" stands for one, "{x...}", the last, for the rest
	access  access
	scope   string   // "shared" or "home"; empty: the session in the path
	tree    bool     // lies below a tree, which the caller must be allowed to see
	query   []string // parameters it has
	handle  func(w *response, r *http.Request) error
}

// scopes are what {scope} stands for.
func scopes() map[string]string {
	return map[string]string{"shared": "shared", "home": "home", "sessions/{sid}": ""}
}

// mountAll builds the table and the document.
func (s *Server) mountAll() error {
	doc := newDocument(s.cfg.Version)
	for _, rt := range s.routes() {
		if !strings.Contains(rt.path, "{scope}") {
			scope := ""
			if strings.HasPrefix(rt.path, "/api/uploads") {
				scope = "shared"
			}
			s.mount(doc, rt, rt.path, scope)
			continue
		}
		for path, scope := range scopes() {
			s.mount(doc, rt, strings.Replace(rt.path, "{scope}", path, 1), scope)
		}
	}
	round(doc)
	var err error
	s.openAPI, err = doc.MarshalJSON()
	return err
}

// mount adds a route at a path.
func (s *Server) mount(doc *huma.OpenAPI, rt route, path, scope string) {
	m := &mounted{
		server:  s,
		method:  rt.method,
		pattern: strings.Split(path[1:], "/"),
		access:  rt.access,
		scope:   scope,
		tree:    scope != "" || strings.Contains(path, "{sid}"),
	}
	rt.serve(huma.NewAPI(apiConfig(doc), m), m, describe(rt, path))
	s.table = append(s.table, *m)
}

// Handle is called by huma with the handler it made of an operation.
func (m *mounted) Handle(op *huma.Operation, h func(huma.Context)) {
	for _, p := range op.Parameters {
		if p.In == "query" {
			m.query = append(m.query, p.Name)
		}
	}
	if m.handle != nil { // streams: huma only describes it
		return
	}
	m.handle = func(w *response, r *http.Request) error {
		r, err := m.server.readJSON(w, r)
		if err == nil {
			w.Header().Set("Cache-Control", "no-store")
			h(humago.NewContext(op, r, w))
		}
		return err
	}
}

// ServeHTTP completes huma.Adapter. Requests come through Server.
func (m *mounted) ServeHTTP(w http.ResponseWriter, r *http.Request) { m.server.ServeHTTP(w, r) }

// match finds the route of a request and sets its path values. A path without a
// route is errNoRoute. OPTIONS is answered here, and then there is no route.
func (s *Server) match(w http.ResponseWriter, r *http.Request) (*mounted, error) {
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	var allow []string
	for i := range s.table {
		m := &s.table[i]
		values, ok := m.values(r.URL.Path)
		if !ok {
			continue
		}
		if m.method != method {
			allow = append(allow, m.method)
			continue
		}
		for _, v := range values {
			r.SetPathValue(v[0], v[1])
		}
		r.SetPathValue("scope", m.scope)
		return m, nil
	}
	if allow == nil {
		return nil, errNoRoute
	}
	if slices.Contains(allow, "GET") {
		allow = append(allow, "HEAD")
	}
	w.Header().Set("Allow", strings.Join(append(allow, "OPTIONS"), ", "))
	if r.Method == http.MethodOptions {
		w.WriteHeader(http.StatusNoContent)
		return nil, nil
	}
	return nil, errMethod
}

// values matches a decoded path and returns the names and values of its wildcards.
func (m *mounted) values(path string) (values [][2]string, ok bool) {
	rest, ok := strings.CutPrefix(path, "/")
	for i, p := range m.pattern {
		if name, wild := strings.CutSuffix(strings.TrimPrefix(p, "{"), "...}"); wild {
			return append(values, [2]string{name, rest}), ok
		}
		var elem string
		var more bool
		elem, rest, more = strings.Cut(rest, "/")
		if more == (i == len(m.pattern)-1) {
			return nil, false
		}
		if name, param := strings.CutPrefix(p, "{"); param {
			if elem == "" {
				return nil, false
			}
			values = append(values, [2]string{strings.TrimSuffix(name, "}"), elem})
		} else if elem != p {
			return nil, false
		}
	}
	return values, ok
}

// checkQuery refuses parameters that the route does not have: one that was passed
// over would be taken for heard. Links to pages may carry anything.
func (m *mounted) checkQuery(r *http.Request) error {
	if m.pattern[0] != "api" {
		return nil
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return badInput("query", "does not parse")
	}
	for name := range query {
		if !slices.Contains(m.query, name) {
			return badInput(fmt.Sprintf("query.%.40s", name), "unknown query parameter")
		}
	}
	return nil
}

// view is the tree a request's path names, as its caller sees it.
func (s *Server) view(r *http.Request) *layers.View {
	scope := layers.Scope{Kind: layers.SessionView, Session: r.PathValue("sid")}
	switch r.PathValue("scope") {
	case "shared":
		scope = layers.Scope{Kind: layers.SharedOnly}
	case "home":
		scope = layers.Scope{Kind: layers.Home}
	}
	return s.cfg.Store.View(caller(r), scope)
}
