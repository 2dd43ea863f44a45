package main

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
)

// davMethods are WebDAV's, HTTP's, and one that is nobody's.
var davMethods = strings.Fields("OPTIONS GET HEAD PUT DELETE MKCOL COPY MOVE PROPFIND PROPPATCH LOCK UNLOCK POST PATCH REPORT SEARCH TRACE BREW")

// exchanges is the walk, and a shorter one.
func (w *isolated) exchanges(t *testing.T) (long, short []raw) {
	t.Helper()
	for _, part := range [][]raw{davExchanges(), w.apiExchanges(t), transfers(), conditions(), bodiesAboutSessions()} {
		long = append(long, part...)
	}
	// Every so manieth, so that each kind is in it, and what found something before.
	for i := 0; i < len(long); i += 37 {
		short = append(short, long[i])
	}
	return long, append(short, bodiesAboutSessions()...)
}

// davExchanges are all methods on the WebDAV paths of a session; on some of the
// paths with each of many headers, and with each of many bodies, sent and announced.
func davExchanges() (all []raw) {
	bodies := []string{
		"plain", "<", lockBody("stranger"), propsBody, patchBody, `<D:mkcol xmlns:D="DAV:"/>`, strings.Repeat("x", 100<<10),
	}
	for _, method := range davMethods {
		for _, path := range append(strings.Fields("/none.txt /gone.txt /dir /dir/none/below.txt /file.txt/below //file.txt /dir/../file.txt /. /a%00b /a%5Cb"), "", "/"+strings.Repeat("n", 300)) {
			all = append(all, raw{method: method, target: "/sessions/{sid}" + path})
		}
		for _, path := range []string{"/", "/file.txt", "/locked.txt"} {
			r := raw{method: method, target: "/sessions/{sid}" + path}
			all = append(all, r)
			for _, header := range davHeaders() {
				all = append(all, r.with(strings.Split(header, "\n")...))
			}
			for _, body := range bodies {
				sent, announced := r, r.with("Destination: /dav/mine.txt")
				sent.body, announced.body, announced.wait = body, body, true
				all = append(all, sent, announced)
			}
		}
	}
	return all
}

// patchBody sets a property.
const patchBody = `<D:propertyupdate xmlns:D="DAV:"><D:set><D:prop><x xmlns="y">z</x></D:prop></D:set></D:propertyupdate>`

// davHeaders are what goes with a request, a line break between fields.
func davHeaders() []string {
	return []string{
		"Depth: 0", "Depth: 1", "Depth: infinity", "Depth: deep",
		"Destination: /dav/new.txt", "Destination: /sessions/{sid}/new.txt", "Destination: /sessions/{sid}/file.txt\nOverwrite: F",
		"Destination: http://elsewhere.example/x", "Destination: %zz", "Destination: /dav/mine.txt\nOverwrite: maybe",
		"If: (<{lock}>)", "If: (Not <{lock}>)", "If: </sessions/{sid}/locked.txt> (<{lock}>)", "If: (", `If: (["none"])`,
		"Lock-Token: <{lock}>", "Lock-Token: <{lock}>\nIf: (<{lock}>)", "Timeout: Second-10\nIf: (<{lock}>)",
		"If-Match: *", "If-None-Match: *", `If-Match: "none"`, "If-Modified-Since: Sat, 01 Jan 2000 00:00:00 GMT",
		"Range: bytes=0-1", "Content-Range: bytes 0-1/2", "Accept: text/html", "Prefer: return=minimal", "Brief: t",
		"Content-Type: application/json", "Content-Encoding: gzip", "X-OC-Mtime: never", "OC-Checksum: SHA1:00", "Want-Content-Digest: sha=1",
		"X-HTTP-Method-Override: GET", "User-Agent: rclone/v1.70.0", "User-Agent: Microsoft-WebDAV-MiniRedir/10.0.1",
	}
}

// transfers copy and move to ann's session and out of it.
func transfers() (all []raw) {
	targets := strings.Fields("/sessions/{sid}/file.txt /sessions/{sid}/new.txt /sessions/{sid}/ /sessions/{sid} /sessions/{sid}/dir/" +
		" /dav/../sessions/{sid}/file.txt /sessions/%2e%2e/sessions/{sid}/dir http://elsewhere.example/sessions/{sid}/x")
	headers := []string{"Overwrite: F", "Depth: 0", "Depth: 1", "If: </sessions/{sid}/locked.txt> (<{lock}>)", "If-Match: *"}
	for _, from := range []string{"/dav/mine.txt", "/shared/mine.txt", "/dav/box", "/dav/none.txt", "/sessions/{sid}/file.txt"} {
		for _, to := range targets {
			for _, method := range []string{"COPY", "MOVE"} {
				r := raw{method: method, target: from, header: []string{"Destination: " + to}}
				all = append(all, r)
				for _, more := range headers {
					all = append(all, r.with(more))
				}
			}
		}
	}
	return all
}

// conditions are requests to what is the stranger's own that depend on the state
// of ann's session.
func conditions() (all []raw) {
	never := []string{
		"</sessions/{sid}/locked.txt> (<{lock}>)", "</sessions/{sid}/> (<{lock}>)", "</sessions/{sid}/dir> (<{lock}>)",
		"(<{lock}>)", `</sessions/{sid}/file.txt> (["` + sha256Canary + `"])`, `</sessions/{sid}/none.txt> (["x"])`,
	}
	for _, cond := range never { // so nothing comes of these
		for _, method := range strings.Fields("PUT DELETE MKCOL COPY MOVE PROPPATCH LOCK UNLOCK") {
			r := raw{method: method, target: "/dav/mine.txt", header: []string{"If: " + cond, "Destination: /dav/new.txt", "Lock-Token: <{lock}>"}}
			if method == "PROPPATCH" {
				r.body = patchBody
			}
			all = append(all, r)
		}
	}
	always := []string{"</sessions/{sid}/locked.txt> (Not <{lock}>)", `</sessions/{sid}/file.txt> (Not ["` + sha256Canary + `"])`}
	for _, cond := range always { // and must do so alike
		all = append(all, raw{method: "DELETE", target: "/dav/none.txt", header: []string{"If: " + cond}},
			raw{method: "PUT", target: "/dav/mine.txt", header: []string{"If: " + cond, "X-OC-Mtime: 1700000000"}, body: "mine"})
	}
	return append(all, raw{method: "UNLOCK", target: "/dav/mine.txt", header: []string{"Lock-Token: <{lock}>"}},
		raw{method: "LOCK", target: "/dav/mine.txt", header: []string{"If: (<{lock}>)"}})
}

// bodiesAboutSessions are requests to URLs that name no session and speak of
// ann's in their query or body.
func bodiesAboutSessions() []raw {
	all := []raw{
		{method: "GET", target: "/api/sessions?after={sid}"}, {method: "GET", target: "/api/sessions?after={sid}&limit=1"},
		{method: "DELETE", target: "/api/tokens/{mount}"},
	}
	for body, target := range map[string]string{
		`{"session":"{sid}"}`:                                             "/api/tokens",
		`{"session":"{sid}","mount":true}`:                                "/api/tokens",
		`{"session":"{sid}","sub":"ann"}`:                                 "/api/tokens",
		`{"session":"{sid}","path":"box"}`:                                "/api/tokens",
		`{"session":"{sid}","scopes":["admin"]}`:                          "/api/tokens",
		`{"from":"mine.txt","to":"/sessions/{sid}/x"}`:                    "/api/home/move",
		`{"from":"/sessions/{sid}/file.txt","to":"x"}`:                    "/api/home/move",
		`{"from":"../../sessions/{sid}/files/file.txt","to":"mine2.txt"}`: "/api/home/copy",
		`{"from":"mine.txt","to":"../../sessions/{sid}/files/file.txt"}`:  "/api/home/copy",
	} {
		all = append(all, raw{method: "POST", target: target, header: []string{"Content-Type: application/json"}, body: body})
	}
	return all
}

// sha256Canary is in the entity tag of file.txt in ann's sessions.
const sha256Canary = "aed3e35c744299568d8eac97a2fff27b0864c6f70c38b755097f010fa3133078"

// apiExchanges are all methods on all URLs of the API's own document that name
// a session: those it describes with each kind of body it describes, whole, cut
// and announced.
func (w *isolated) apiExchanges(t *testing.T) (all []raw) {
	t.Helper()
	var doc document
	w.decode(w.ok("GET", "/api/openapi.json", w.liveToken, ""), &doc)
	for _, documented := range slices.Sorted(maps.Keys(doc.Paths)) {
		path := strings.ReplaceAll(documented, "{scope}", "sessions/{sid}")
		if !strings.Contains(path, "{sid}") {
			continue
		}
		for i, target := range targets(path) {
			if i == 0 {
				for _, method := range davMethods {
					all = append(all, raw{method: method, target: target})
				}
			}
			for method, op := range doc.Paths[documented] {
				r := raw{method: strings.ToUpper(method), target: target}
				all = append(all, r)
				if i == 0 {
					all = append(all, variants(r, doc.bodies(op))...)
				}
			}
		}
	}
	if len(all) < 500 {
		t.Fatalf("the document names too little: %d requests", len(all))
	}
	return all
}

// variants are r with each body, sent and announced, and with each header.
func variants(r raw, bodies []string) (all []raw) {
	for _, body := range append(bodies, "", "{", "[]", "null", strings.Repeat("x", 100<<10)) {
		sent := r.with("Content-Type: application/json")
		sent.body = body
		announced := sent
		announced.wait = body != ""
		all = append(all, sent, announced)
	}
	for _, header := range apiHeaders() {
		all = append(all, r.with(header))
	}
	return all
}

// targets fills in the other parameters of a path, and adds queries.
func targets(path string) (all []string) {
	path = strings.NewReplacer("{id}", "{mount}", "{seq}", "1", "{grant}", "1", "{node}", "1").Replace(path)
	first := strings.ReplaceAll(path, "{name}", "file.txt")
	all = []string{first, first + "?limit=1&after=a&download=1&at=1&since=0&overwrite=1", first + "?limit=x", first + "?%zz", first + "/"}
	if first == path {
		return all
	}
	for _, name := range []string{"none.txt", "gone.txt", "dir", "dir/", "", "dir/../file.txt", "%2e%2e/x", "a%00b", strings.Repeat("n", 300)} {
		all = append(all, strings.ReplaceAll(path, "{name}", name))
	}
	return all
}

func apiHeaders() []string {
	return []string{
		"If-Match: *", "If-None-Match: *", "If-Match: unquoted", "Range: bytes=0-1", "Content-Range: bytes 0-1/2", "Content-Encoding: gzip",
		"Content-Digest: sha-256=:x:", "X-OC-Mtime: never", "X-Expected-Entity-Length: 5", "If: (<{lock}>)", "Accept: text/html", "Content-Type: text/plain",
	}
}

// document is what this walk needs of an OpenAPI document.
type document struct {
	Paths      map[string]map[string]operation
	Components struct{ Schemas map[string]schema }
}

type operation struct {
	RequestBody struct {
		Content map[string]struct{ Schema schema }
	}
}

type schema struct {
	Ref        string `json:"$ref"`
	Type       any
	Properties map[string]schema
}

// bodies are JSON objects as an operation describes them: with all properties,
// and with each one alone.
func (d document) bodies(op operation) (all []string) {
	s := op.RequestBody.Content["application/json"].Schema
	s = d.Components.Schemas[s.Ref[strings.LastIndexByte(s.Ref, '/')+1:]]
	whole := map[string]any{}
	for name, p := range s.Properties {
		value := p.example()
		whole[name] = value
		if one, err := json.Marshal(map[string]any{name: value}); err == nil {
			all = append(all, string(one))
		}
	}
	if b, err := json.Marshal(whole); err == nil {
		all = append(all, string(b))
	}
	return all
}

// example is a value of the schema's type.
func (s schema) example() any {
	switch s.Type {
	case "boolean":
		return true
	case "integer", "number":
		return 1
	case "array":
		return []string{"read"}
	case "object":
		return map[string]any{}
	}
	return "file.txt"
}
