package web_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// same is an answer without what may differ between two: Date and request id.
func same(a answer) answer {
	h := a.header.Clone()
	id := h.Get("X-Request-Id")
	h.Del("Date")
	h.Del("X-Request-Id")
	return answer{a.status, h, strings.ReplaceAll(a.body, id, "ID")}
}

// equalAnswers lets cmp look into an answer.
var equalAnswers = cmp.AllowUnexported(answer{})

// TestAnothersSessionIsAsIfThereWereNone walks every method over every URL of
// the document that names a session.
func TestAnothersSessionIsAsIfThereWereNone(t *testing.T) {
	w := newWorld(t, nil)
	id, token := w.session("ann")
	w.want(201, "PUT", "/api/sessions/"+id+"/files/a", token, "secret")
	missing := strings.Repeat("x", len(id))
	strangers := map[string]string{"a user": w.token("bob", ""), "a session": ""}
	_, strangers["a session"] = w.session("bob")

	var doc struct {
		Paths map[string]map[string]json.RawMessage
	}
	if err := json.Unmarshal([]byte(w.want(200, "GET", "/api/openapi.json", "", "").body), &doc); err != nil {
		t.Fatal(err)
	}
	methods := []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "MKCOL", "BREW"}
	bodies := []string{"", "{}", `{"name":"x"}`, `{"from":"a","to":"b"}`, "{", strings.Repeat("x", 100<<10)}
	n := 0
	for _, path := range slices.Sorted(maps.Keys(doc.Paths)) {
		if !strings.Contains(path, "{sid}") {
			continue
		}
		for _, name := range []string{"a", "none", "", "a/../..", "%00"} {
			if name != "a" && !strings.Contains(path, "{name}") {
				continue
			}
			for _, method := range methods {
				for _, body := range bodies {
					for who, token := range strangers {
						url := func(sid string) string { return strings.NewReplacer("{sid}", sid, "{name}", name).Replace(path) }
						others := same(w.do(method, url(id), token, body))
						none := same(w.do(method, url(missing), token, body))
						if diff := cmp.Diff(none, others, equalAnswers); diff != "" {
							t.Errorf("%s %s by %s with %.10q (-missing +another's):\n%s", method, url("{sid}"), who, body, diff)
						}
						if known := slices.Contains([]string{"BREW", "MKCOL", "PROPFIND", "OPTIONS"}, method); !known && others.status != 404 && others.status != 405 {
							t.Errorf("%s %s by %s: %d", method, url("{sid}"), who, others.status)
						}
						n++
					}
				}
			}
		}
	}
	// Neither as the place to go on from in a list, nor as what a token is for.
	for who, token := range strangers {
		for method, ask := range map[string][2]string{"GET": {"/api/sessions?after=%s", ""}, "POST": {"/api/tokens", `{"session":"%s"}`}} {
			asked := func(sid string) answer {
				return same(w.do(method, strings.Replace(ask[0], "%s", sid, 1), token, strings.Replace(ask[1], "%s", sid, 1)))
			}
			if diff := cmp.Diff(asked(missing), asked(id), equalAnswers); diff != "" {
				t.Errorf("%s %s by %s (-missing +another's):\n%s", method, ask[0], who, diff)
			}
		}
	}
	if n < 500 {
		t.Errorf("only %d pairs were compared", n)
	}
}

// TestRefusedBeforeTheBody: whoever may not see a session learns so without
// sending a body, and nobody waits for it.
func TestRefusedBeforeTheBody(t *testing.T) {
	w := newWorld(t, nil)
	id, _ := w.session("ann")
	for _, path := range []string{"/files/a", "/move"} {
		for _, sid := range []string{id, "no-such-session"} {
			method := "PUT"
			if path == "/move" {
				method = "POST"
			}
			body := &watched{}
			req, err := http.NewRequest(method, w.url+"/api/sessions/"+sid+path, body)
			if err != nil {
				t.Fatal(err)
			}
			req.ContentLength = 1 << 20
			req.Header.Set("Authorization", "Bearer "+w.token("bob", ""))
			req.Header.Set("Expect", "100-continue")
			resp, err := (&http.Transport{DisableKeepAlives: true, ExpectContinueTimeout: 1 << 40}).RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != 404 || body.read {
				t.Errorf("%s %s: got %d, body asked for: %v", method, path, resp.StatusCode, body.read)
			}
		}
	}
}

// watched is a body that notes whether it is read.
type watched struct{ read bool }

func (b *watched) Read(p []byte) (int, error) {
	b.read = true
	return len(p), nil
}

// TestPathAttacks: refused or cleaned, never out of the tree.
func TestPathAttacks(t *testing.T) {
	w := newWorld(t, nil)
	ann := w.token("ann", "")
	w.want(201, "POST", "/api/shared/mkdir", ann, `{"name":"d"}`)
	w.want(201, "PUT", "/api/shared/files/d/a", ann, "content")
	id, token := w.session("ann")
	w.want(201, "PUT", "/api/sessions/"+id+"/files/own", token, "private")
	bob := w.token("bob", "")
	for _, tt := range []struct {
		path   string
		status int
		body   string
	}{
		{"/api/shared/files/d%2Fa", 200, "content"},
		{"/api/shared/files//d///a", 200, "content"},
		{"/api/shared/files/./d/./a", 200, "content"},
		{"/api/shared/files/x/..%2Fd/a", 200, "content"},
		{"/api/shared/files/../../../d/a", 200, "content"},
		{"/api/shared/files/%2e%2e/%2e%2e%2fd/a", 200, "content"},
		{"/api/shared/files/d/a/", 200, "content"},
		{"/api/shared/files/%252e%252e/d", 404, ""},
		{"/api/shared/files/../../sessions/" + id + "/files/own", 404, ""},
		{"/api/shared/files/d/a%00", 400, ""},
		{"/api/shared/files/d%5Ca", 400, ""},
		{"/api/shared/files/d/%c0%ae%c0%ae/a", 400, ""},
		{"/api/shared/files/" + strings.Repeat("%2e%2e%2f", 2000) + "d/a", 200, "content"},
		{"/api/shared/files/" + strings.Repeat("x/", 4000), 414, ""},
		{"/api/shared/files/" + strings.Repeat("x", 300), 414, ""},
		{"/api/shared/../sessions/" + id + "/files/own", 404, ""},
		{"/api/shared%2Ffiles/d/a", 200, "content"}, // %2F is a slash
		{"/api/sessions/..%2Fshared/files/d/a", 404, ""},
		{"/api/sessions/" + id + "%2Ffiles/own", 404, ""},
		{"/api/sessions/%00/files/own", 404, ""},
		{"/api/sessions/../files/own", 404, ""},
		{"//api/shared/files/d/a", 404, ""},
		{"/api//shared/files/d/a", 404, ""},
		{"/API/shared/files/d/a", 404, ""},
		{"/apix/shared/files/d/a", 404, ""},
		{"/davc", 404, ""},
		{"/dav/../api/me", 200, "GET http://"}, // the WebDAV handler's to clean
	} {
		got := w.do("GET", tt.path, bob, "")
		if got.status != tt.status || !strings.HasPrefix(got.body, tt.body) {
			t.Errorf("GET %.80s: got %d %.80s, want %d %s", tt.path, got.status, got.body, tt.status, tt.body)
		}
		if strings.Contains(got.body, "private") {
			t.Errorf("GET %s: shows another's session", tt.path)
		}
	}
}

func TestMethods(t *testing.T) {
	w := newWorld(t, nil)
	for _, tt := range []struct{ method, path, allow string }{
		{"PUT", "/api/sessions", "GET, POST, HEAD, OPTIONS"},
		{"POST", "/api/sessions/x", "GET, PATCH, DELETE, HEAD, OPTIONS"},
		{"POST", "/api/shared/files/a", "GET, PUT, DELETE, HEAD, OPTIONS"},
		{"GET", "/api/shared/move", "POST, OPTIONS"},
		{"PROPFIND", "/healthz", "GET, HEAD, OPTIONS"},
	} {
		got := w.want(405, tt.method, tt.path, "", "")
		gotAllow := strings.Split(got.header.Get("Allow"), ", ")
		wantAllow := strings.Split(tt.allow, ", ")
		slices.Sort(gotAllow)
		slices.Sort(wantAllow)
		if diff := cmp.Diff(wantAllow, gotAllow); diff != "" {
			t.Errorf("%s %s: Allow (-want +got):\n%s", tt.method, tt.path, diff)
		}
		w.want(204, "OPTIONS", tt.path, "", "")
	}
}

func TestMalformedJSON(t *testing.T) {
	w := newWorld(t, nil)
	ann := w.token("ann", "")
	for _, tt := range []struct {
		name, body string
		status     int
		message    string
		headers    []string
	}{
		{"nothing", "", 400, "", nil},
		{"cut", `{"from":`, 400, "unexpected end", nil},
		{"not an object", `[]`, 422, "expected object", nil},
		{"unknown field", `{"from":"a","to":"b","force":true}`, 422, "unexpected property", nil},
		{"missing field", `{"from":"a"}`, 422, "required property to", nil},
		{"wrong kind", `{"from":1,"to":"b"}`, 422, "expected string", nil},
		{"trailing", `{"from":"a","to":"b"} x`, 400, "after top-level", nil},
		{"deep", strings.Repeat("[", 20000), 400, "", nil},
		{"too large", `{"from":"` + strings.Repeat("a", 1<<20) + `","to":"b"}`, 413, "", nil},
		{"form", "from=a&to=b", 415, "", []string{"Content-Type", "application/x-www-form-urlencoded"}},
		{"text", `{"from":"a","to":"b"}`, 415, "", []string{"Content-Type", "text/plain"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := w.want(tt.status, "POST", "/api/shared/move", ann, tt.body, tt.headers...)
			if ct := got.header.Get("Content-Type"); ct != "application/problem+json" {
				t.Errorf("content type %q", ct)
			}
			p := decode[problem](t, got)
			if !strings.Contains(got.body, tt.message) || p.Instance != "urn:varve:request:"+got.header.Get("X-Request-Id") || p.Status != tt.status {
				t.Errorf("problem %s, want %q in it", got.body, tt.message)
			}
			if len(got.body) > 2000 {
				t.Errorf("the answer echoes the body: %d bytes", len(got.body))
			}
		})
	}
}

// TestDocument: every route is described, and everything described is served.
func TestDocument(t *testing.T) {
	w := newWorld(t, nil)
	var doc struct {
		OpenAPI string
		Paths   map[string]map[string]struct {
			OperationID string
			Summary     string
			Responses   map[string]any
		}
	}
	got := w.want(200, "GET", "/api/openapi.json", "", "")
	if err := json.Unmarshal([]byte(got.body), &doc); err != nil || doc.OpenAPI != "3.1.0" {
		t.Fatalf("document %s: %v", doc.OpenAPI, err)
	}
	for _, want := range []string{
		"get /", "get /healthz", "get /readyz", "get /api/openapi.json", "post /api/signin", "post /api/signout", "get /api/me",
		"post /api/tokens", "get /api/tokens", "delete /api/tokens/{id}", "post /api/sessions", "get /api/sessions",
		"get /api/sessions/{sid}", "patch /api/sessions/{sid}", "delete /api/sessions/{sid}",
		"get /api/shared/files/{name}", "put /api/sessions/{sid}/files/{name}", "delete /api/home/files/{name}",
		"post /api/shared/move", "post /api/sessions/{sid}/copy", "post /api/home/mkdir",
		"get /api/uploads", "post /api/uploads", "get /api/uploads/{name}", "put /api/uploads/{name}", "delete /api/uploads/{name}",
	} {
		method, path, _ := strings.Cut(want, " ")
		if op, ok := doc.Paths[path][method]; !ok || op.Summary == "" || len(op.Responses) == 0 {
			t.Errorf("%s is not described", want)
		}
	}
	for path, ops := range doc.Paths {
		for method := range ops {
			url := strings.NewReplacer("{sid}", "no-such-session", "{name}", "a", "{id}", "x").Replace(path)
			got := w.do(strings.ToUpper(method), url, "", "")
			if p := (problem{}); got.status == 405 || got.status == 404 && json.Unmarshal([]byte(got.body), &p) == nil {
				t.Errorf("%s %s is described and answers %d", method, path, got.status)
			}
		}
	}
}
