package web

import (
	"bytes"
	"cmp"
	"context"
	"io"
	"net/http"
	"reflect"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"varve/authz"
)

// endpoint gives a mounted route its handler, and the document its operation.
type endpoint func(api huma.API, m *mounted, op huma.Operation)

// none is the input of an operation without parameters.
type none struct{}

// body is an input or output that is only a body.
type body[T any] struct{ Body T }

// answer is an output whose status says what happened.
type answer[T any] struct {
	Status int
	Body   T
}

// exchange is a request on its way through huma, which hands a handler nothing but a context.
type exchange struct {
	w *response
	r *http.Request
}

type exchangeKey struct{}

// reply makes an operation that speaks JSON: huma parses and checks the input, and writes the output.
func reply[I, O any](fn func(r *http.Request, in *I) (*O, error)) endpoint {
	return func(api huma.API, m *mounted, op huma.Operation) {
		huma.Register(api, op, func(ctx context.Context, in *I) (*O, error) {
			x := ctx.Value(exchangeKey{}).(exchange)
			out, err := fn(x.r, in)
			if err != nil {
				return nil, m.server.problem(x.w, x.r, err)
			}
			return out, nil
		})
	}
}

// made is an operation that answers 201.
func made(e endpoint) endpoint {
	return func(api huma.API, m *mounted, op huma.Operation) {
		op.DefaultStatus = http.StatusCreated
		e(api, m, op)
	}
}

// empty is an operation that answers 204.
func empty(e endpoint) endpoint {
	return func(api huma.API, m *mounted, op huma.Operation) {
		op.DefaultStatus = http.StatusNoContent
		e(api, m, op)
	}
}

// stream makes an operation of a plain handler. I and O only describe it: its
// parameters, its JSON answer if it has one; media are the other types it may answer with.
func stream[I, O any](fn func(w *response, r *http.Request) error, media ...string) endpoint {
	return func(api huma.API, m *mounted, op huma.Operation) {
		m.handle = fn
		ok := &huma.Response{Description: http.StatusText(http.StatusOK), Content: map[string]*huma.MediaType{}}
		for _, t := range media {
			ok.Content[t] = &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString}}
		}
		if _, isJSON := reflect.TypeFor[O]().FieldByName("Body"); isJSON {
			ok.Content["application/json"] = &huma.MediaType{} // huma fills in the schema
		}
		if op.DefaultStatus == 0 {
			op.DefaultStatus = http.StatusOK
		}
		op.Responses = map[string]*huma.Response{strconv.Itoa(op.DefaultStatus): ok}
		huma.Register(api, op, func(context.Context, *I) (*O, error) { return nil, nil })
	}
}

// round completes a document of which every route has been registered: a GET
// answers HEAD too, a write that made something new is a 201, and everything may fail.
func round(doc *huma.OpenAPI) {
	for _, item := range doc.Paths {
		for _, op := range []*huma.Operation{item.Get, item.Post, item.Put, item.Patch, item.Delete} {
			if op == nil {
				continue
			}
			if op.Responses["default"] == nil {
				op.Responses["default"] = &huma.Response{Description: "Error", Content: map[string]*huma.MediaType{
					"application/problem+json": {Schema: &huma.Schema{Ref: schemas + "ErrorModel"}},
				}}
			}
			if ok := op.Responses["200"]; ok != nil && ok.Content["application/json"] != nil &&
				ok.Content["application/json"].Schema.Ref == schemas+"Written" {
				op.Responses["201"] = &huma.Response{Description: http.StatusText(http.StatusCreated), Content: ok.Content}
			}
		}
		if item.Get != nil {
			head := *item.Get
			head.Method, head.OperationID = http.MethodHead, "head"+strings.TrimPrefix(head.OperationID, "get")
			item.Head = &head
		}
	}
}

// schemas is where the document keeps the schemas of its types.
const schemas = "#/components/schemas/"

// readJSON reads the body of a JSON operation, so that a body that is too long or
// ends before time is answered as everywhere, and puts the exchange into the
// returned copy's context.
func (s *Server) readJSON(w *response, r *http.Request) (*http.Request, error) {
	b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, s.limits.JSONBody))
	if err != nil {
		return nil, bodyError(err)
	}
	in := r.WithContext(context.WithValue(r.Context(), exchangeKey{}, exchange{w, r}))
	in.Body = io.NopCloser(bytes.NewReader(b))
	return in, nil
}

// apiConfig is huma without its own routes, links and documentation pages.
func apiConfig(doc *huma.OpenAPI) huma.Config {
	return huma.Config{
		OpenAPI: doc,
		// huma looks for the format of application/problem+json under "json".
		Formats:       map[string]huma.Format{"application/json": huma.DefaultJSONFormat, "json": huma.DefaultJSONFormat},
		DefaultFormat: "application/json",
		Transformers:  []huma.Transformer{complete},
	}
}

// complete makes huma's own refusals (a body that does not parse, a parameter
// out of range) look like ours. The value at fault is not echoed: it may be a token.
func complete(ctx huma.Context, _ string, v any) (any, error) {
	p, ok := v.(*huma.ErrorModel)
	if !ok || p.Instance != "" {
		return v, nil
	}
	_, w := humago.Unwrap(ctx)
	p.Type, p.Instance = typeInvalid, instance(w)
	for _, e := range p.Errors {
		e.Value = nil
	}
	return p, nil
}

// newDocument is an OpenAPI document without operations.
func newDocument(version string) *huma.OpenAPI {
	return &huma.OpenAPI{
		OpenAPI: "3.1.0",
		Info: &huma.Info{
			Title:   "varve",
			Version: version,
			Description: "Files in layers: every agent session works in its own private layer over the shared files. " +
				"The same trees are served over WebDAV at /dav/, /shared/ and /sessions/{sid}/. " +
				"Query parameters and fields that an operation does not have are refused (422). " +
				"A name in a URL is cleaned: slashes collapse, . and .. are resolved and never leave the tree. " +
				"A name in a body or a query with .. in it is refused (422).",
		},
		Components: &huma.Components{
			Schemas: huma.NewMapRegistry(schemas, huma.DefaultSchemaNamer),
			SecuritySchemes: map[string]*huma.SecurityScheme{
				"bearer": {Type: "http", Scheme: "bearer", Description: "A token in the Authorization header."},
				"basic":  {Type: "http", Scheme: "basic", Description: "Any user name, the token as password."},
				"cookie": {Type: "apiKey", In: "cookie", Name: authz.CookieName, Description: "What /api/signin sets."},
			},
		},
	}
}

// describe is the operation of a route at a path.
func describe(rt route, path string) huma.Operation {
	path = strings.ReplaceAll(path, "...}", "}")
	name := cmp.Or(strings.TrimPrefix(path, "/api/"), "api")
	id := "-" + strings.NewReplacer("/", "-", "{", "", "}", "", ".", "").Replace(strings.TrimPrefix(name, "/"))
	op := huma.Operation{
		Method:          rt.method,
		Path:            path,
		Summary:         rt.summary,
		OperationID:     strings.TrimSuffix(strings.ToLower(rt.method)+id, "-"),
		Tags:            []string{tag(path)},
		BodyReadTimeout: -1, // readJSON has read it
		MaxBodyBytes:    -1,
	}
	if rt.access == signed {
		op.Security = []map[string][]string{{"bearer": {}}, {"basic": {}}, {"cookie": {}}}
	}
	return op
}

// tag groups operations for readers of the document.
func tag(path string) string {
	for _, t := range []string{"files", "uploads", "tokens", "sign", "me", "sessions"} {
		if strings.Contains(path, "/"+t) {
			return t
		}
	}
	return "server"
}

// index is what is at /api/.
type index struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	OpenAPI string `json:"openapi" doc:"Where the description of everything else is"`
}

// getIndex leads whoever looks at /api/ on.
func (s *Server) getIndex(w *response, _ *http.Request) error {
	return writeJSON(w, http.StatusOK, index{"varve", s.cfg.Version, "/api/openapi.json"})
}

// getOpenAPI serves the document.
func (s *Server) getOpenAPI(w *response, r *http.Request) error {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-cache")
	_, err := w.Write(s.openAPI)
	return err
}
