package web_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"varve/authz"
)

type sessionJSON struct {
	ID, Owner, Name, Token, DAV string
	Created                     time.Time
	Ended                       *time.Time
	Mount                       []struct{ Client, Command string }
}

type listing struct {
	Entry   entry
	Entries []entry
	Next    string
}

type written struct {
	Entry   entry
	Created bool
	Seq     int64
}

// session creates a session of a user and returns its id and token.
func (w *world) session(user string) (id, token string) {
	w.t.Helper()
	made := decode[sessionJSON](w.t, w.want(201, "POST", "/api/sessions", w.token(user, ""), ""))
	return made.ID, made.Token
}

// TestASessionWorksOverSharedFiles is the main journey.
func TestASessionWorksOverSharedFiles(t *testing.T) {
	w := newWorld(t, nil)
	ann := w.token("ann", "")
	w.want(201, "PUT", "/api/uploads/notes.txt", ann, "shared one")

	made := decode[sessionJSON](t, w.want(201, "POST", "/api/sessions", ann, `{"name":"try"}`))
	if made.Owner != "ann" || made.Name != "try" || len(made.ID) != 22 || made.Token == "" || len(made.Mount) == 0 {
		t.Fatalf("session %+v", made)
	}
	if want := w.url + "/sessions/" + made.ID + "/"; made.DAV != want {
		t.Errorf("dav %q, want %q", made.DAV, want)
	}
	files := "/api/sessions/" + made.ID + "/files/"

	got := w.want(200, "GET", files+"notes.txt", made.Token, "")
	if got.body != "shared one" {
		t.Errorf("the session reads %q", got.body)
	}
	put := decode[written](t, w.want(200, "PUT", files+"notes.txt", made.Token, "mine"))
	if put.Entry.Layer != "session" || put.Entry.Origin == nil || put.Created || put.Seq == 0 {
		t.Errorf("override: %+v", put)
	}
	for _, tt := range []struct{ path, token, want string }{
		{files + "notes.txt", made.Token, "mine"},
		{"/api/home/files/notes.txt", made.Token, "mine"},
		{"/api/shared/files/notes.txt", made.Token, "shared one"},
		{files + "notes.txt", ann, "mine"}, // the owner sees it
		{"/api/home/files/notes.txt", ann, "shared one"},
		{"/api/uploads/notes.txt", ann, "shared one"},
	} {
		if got := w.want(200, "GET", tt.path, tt.token, ""); got.body != tt.want {
			t.Errorf("GET %s: got %q, want %q", tt.path, got.body, tt.want)
		}
	}
	w.want(403, "PUT", files+"notes.txt", ann, "the owner does not write")
	w.want(403, "PUT", "/api/shared/files/notes.txt", made.Token, "nor the session shared")
	w.want(403, "PUT", "/api/uploads/notes.txt", made.Token, "nor so")

	w.want(200, "PUT", "/api/uploads/notes.txt", ann, "shared two")
	list := decode[listing](t, w.want(200, "GET", files, made.Token, ""))
	if len(list.Entries) != 1 || !list.Entries[0].ShadowChanged || list.Entry.Kind != "directory" {
		t.Errorf("listing %+v", list)
	}

	show := decode[sessionJSON](t, w.want(200, "PATCH", "/api/sessions/"+made.ID, ann, `{"name":"tried"}`))
	if show.Name != "tried" {
		t.Errorf("renamed: %+v", show)
	}
	page := decode[struct{ Sessions []sessionJSON }](t, w.want(200, "GET", "/api/sessions", ann, ""))
	if len(page.Sessions) != 1 || page.Sessions[0].Name != "tried" {
		t.Errorf("sessions %+v", page)
	}
	if ended := decode[sessionJSON](t, w.want(200, "DELETE", "/api/sessions/"+made.ID, ann, "")); ended.Ended == nil {
		t.Errorf("ended: %+v", ended)
	}
	w.want(403, "PUT", files+"notes.txt", made.Token, "late")
	w.want(200, "GET", files+"notes.txt", ann, "")
}

func TestSessionPaging(t *testing.T) {
	w := newWorld(t, nil)
	ann := w.token("ann", "")
	for i := range 5 {
		w.want(201, "POST", "/api/sessions", ann, fmt.Sprintf(`{"id":"session-%d"}`, i))
	}
	w.session("bob")
	var ids []string
	after := ""
	for range 3 {
		page := decode[struct {
			Sessions []sessionJSON
			Next     string
		}](t, w.want(200, "GET", "/api/sessions?limit=2&after="+after, ann, ""))
		for _, s := range page.Sessions {
			ids = append(ids, s.ID)
		}
		after = page.Next
	}
	if diff := cmp.Diff([]string{"session-4", "session-3", "session-2", "session-1", "session-0"}, ids); diff != "" || after != "" {
		t.Errorf("pages (-want +got):\n%s next %q", diff, after)
	}
	w.want(409, "POST", "/api/sessions", ann, `{"id":"session-1"}`)
	w.want(422, "POST", "/api/sessions", ann, `{"id":"short"}`)
	w.want(422, "POST", "/api/sessions", ann, `{"ttl":"soon"}`)
	w.want(403, "POST", "/api/sessions", ann, `{"id":"too-long-lived","ttl":"300d"}`)
	w.want(404, "GET", "/api/sessions/too-long-lived", ann, "")
	w.want(403, "POST", "/api/sessions", w.token("ann", "session-1"), `{}`)
}

func TestFile(t *testing.T) {
	w := newWorld(t, nil)
	ann := w.token("ann", "")
	const text = "0123456789"
	sum := sha256.Sum256([]byte(text))
	digest := "sha-256=:" + base64.StdEncoding.EncodeToString(sum[:]) + ":"

	put := w.want(201, "PUT", "/api/shared/files/a%20b.html", ann, text, "Content-Digest", digest, "X-OC-Mtime", "1700000000")
	e := decode[written](t, put).Entry
	want := entry{Name: "a b.html", Kind: "file", ETag: put.header.Get("ETag"), SHA256: hex.EncodeToString(sum[:]),
		Type: "text/html; charset=utf-8", Layer: "shared", Size: new(int64(10)), Node: e.Node, Version: e.Version,
		Modified: time.Unix(1700000000, 0).UTC(), Created: noon()}
	if diff := cmp.Diff(want, e); diff != "" {
		t.Errorf("PUT (-want +got):\n%s", diff)
	}
	if put.header.Get("X-OC-Mtime") != "accepted" || put.header.Get("Last-Modified") != "Tue, 14 Nov 2023 22:13:20 GMT" {
		t.Errorf("PUT: headers %v", put.header)
	}
	etag := put.header.Get("ETag")

	for _, tt := range []struct {
		name, method string
		status       int
		body         string
		headers      []string
	}{
		{"whole", "GET", 200, text, nil},
		{"head", "HEAD", 200, "", nil},
		{"range", "GET", 206, "234", []string{"Range", "bytes=2-4"}},
		{"suffix", "GET", 206, "89", []string{"Range", "bytes=-2"}},
		{"range of this", "GET", 206, "23", []string{"Range", "bytes=2-3", "If-Range", etag}},
		{"range of another", "GET", 200, text, []string{"Range", "bytes=2-3", "If-Range", `"x"`}},
		{"no such range", "GET", 416, `{"type":"urn:varve:problem:range"`, []string{"Range", "bytes=20-"}},
		{"known", "GET", 304, "", []string{"If-None-Match", etag}},
		{"still that", "GET", 200, text, []string{"If-Match", etag}},
		{"not that", "GET", 412, `{"type":"urn:varve:problem:precondition"`, []string{"If-Match", `"x"`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := w.want(tt.status, tt.method, "/api/shared/files/a%20b.html", ann, "", tt.headers...)
			if got.body != tt.body && !(got.status >= 400 && strings.HasPrefix(got.body, tt.body)) {
				t.Errorf("body %q, want %q", got.body, tt.body)
			}
			if got.header.Get("Content-Security-Policy") != "sandbox; default-src 'none'" || got.header.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("headers %v", got.header)
			}
			if got.status < 300 && got.header.Get("Repr-Digest") != digest {
				t.Errorf("Repr-Digest %q, want %q", got.header.Get("Repr-Digest"), digest)
			}
		})
	}
	if got := w.want(200, "GET", "/api/shared/files/a%20b.html?download=1", ann, "").header.Get("Content-Disposition"); got != `attachment; filename="a b.html"` {
		t.Errorf("download: Content-Disposition %q", got)
	}
	w.want(422, "GET", "/api/shared/files/a%20b.html?download=perhaps", ann, "")
}

// TestPutRefused: whatever is wrong with a PUT, nothing changed.
func TestPutRefused(t *testing.T) {
	w := newWorld(t, nil)
	ann := w.token("ann", "")
	etag := w.want(201, "PUT", "/api/shared/files/a", ann, "old").header.Get("ETag")
	w.want(201, "POST", "/api/shared/mkdir", ann, `{"name":"dir"}`)
	other := sha256.Sum256([]byte("other"))
	for _, tt := range []struct {
		name, path string
		status     int
		headers    []string
	}{
		{"range", "a", 400, []string{"Content-Range", "bytes 0-2/10"}},
		{"encoded", "a", 415, []string{"Content-Encoding", "gzip"}},
		{"digest", "a", 400, []string{"Content-Digest", "sha-256=:" + base64.StdEncoding.EncodeToString(other[:]) + ":"}},
		{"representation digest", "a", 400, []string{"Repr-Digest", "sha-256=:" + base64.StdEncoding.EncodeToString(other[:]) + ":"}},
		{"garbled digest", "a", 422, []string{"Repr-Digest", "sha-256=xyz"}},
		{"short digest", "a", 422, []string{"Repr-Digest", "sha-256=:YQ==:"}},
		{"checksum", "a", 400, []string{"OC-Checksum", "SHA1:a9993e364706816aba3e25717850c26c9cd0d89d"}},
		{"garbled checksum", "a", 422, []string{"OC-Checksum", "SHA1:zz"}},
		{"md5", "a", 400, []string{"Content-MD5", "1B2M2Y8AsgTpgAmY7PhCfg=="}},
		{"length", "a", 400, []string{"X-Expected-Entity-Length", "7"}},
		{"garbled length", "a", 422, []string{"X-Expected-Entity-Length", "many"}},
		{"mtime", "a", 422, []string{"X-OC-Mtime", "yesterday"}},
		{"match", "a", 412, []string{"If-Match", `"x"`}},
		{"none match", "a", 412, []string{"If-None-Match", "*"}},
		{"none match by tag", "a", 412, []string{"If-None-Match", `"x", ` + etag}},
		{"weak", "a", 412, []string{"If-Match", "W/" + etag}},
		{"garbled tag", "a", 422, []string{"If-Match", "x"}},
		{"old date", "a", 412, []string{"If-Unmodified-Since", "Tue, 14 Nov 2023 22:13:20 GMT"}},
		{"no parent", "none/a", 409, nil},
		{"parent is a file", "a/b", 409, nil},
		{"directory", "dir", 409, nil},
		{"root", "", 409, nil},
		{"backslash", `b%5Cc`, 400, nil},
		{"nul", `b%00`, 400, nil},
		{"control", `b%0a`, 400, nil},
		{"not utf-8", `b%ff`, 400, nil},
		{"long part", strings.Repeat("n", 256), 414, nil},
		{"long name", strings.Repeat("nnn/", 1100), 414, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := w.want(tt.status, "PUT", "/api/shared/files/"+tt.path, ann, "new", tt.headers...)
			p := decode[problem](t, got)
			if p.Status != tt.status || p.Detail == "" || p.Title == "" || !strings.HasPrefix(p.Type, "urn:varve:problem:") ||
				p.Instance != "urn:varve:request:"+got.header.Get("X-Request-Id") {
				t.Errorf("problem %+v", p)
			}
			if now := w.want(200, "GET", "/api/shared/files/a", ann, ""); now.body != "old" || now.header.Get("ETag") != etag {
				t.Errorf("afterwards a is %q %s", now.body, now.header.Get("ETag"))
			}
		})
	}
	list := decode[listing](t, w.want(200, "GET", "/api/shared/files/", ann, ""))
	if len(list.Entries) != 2 {
		t.Errorf("afterwards there is %+v", list.Entries)
	}
}

func TestTree(t *testing.T) {
	w := newWorld(t, nil)
	ann := w.token("ann", "")
	post := func(status int, what, body string) answer {
		t.Helper()
		return w.want(status, "POST", "/api/shared/"+what, ann, body)
	}
	post(201, "mkdir", `{"name":"a"}`)
	post(409, "mkdir", `{"name":"a"}`)
	post(409, "mkdir", `{"name":"x/y"}`)
	post(201, "mkdir", `{"name":"x/y/z","parents":true}`)
	post(200, "mkdir", `{"name":"x/y/z","parents":true}`)
	w.want(201, "PUT", "/api/shared/files/a/one", ann, "1")
	post(201, "copy", `{"from":"a/one","to":"a/two"}`)
	if p := decode[problem](t, post(409, "copy", `{"from":"a/one","to":"a/two"}`)); p.Type != "urn:varve:problem:exists" {
		t.Errorf("copy over: %+v", p)
	}
	post(200, "copy", `{"from":"a/one","to":"a/two","overwrite":true}`)
	post(201, "move", `{"from":"a","to":"b"}`)
	post(409, "move", `{"from":"b","to":"b/c"}`)
	post(404, "move", `{"from":"a","to":"c"}`)
	post(201, "move", `{"from":"/b/./two/","to":"up"}`)
	if got := w.want(200, "GET", "/api/shared/files/up", ann, ""); got.body != "1" {
		t.Errorf("up is %q", got.body)
	}
	w.want(200, "DELETE", "/api/shared/files/b", ann, "")
	w.want(404, "GET", "/api/shared/files/b/one", ann, "")
	w.want(412, "DELETE", "/api/shared/files/up", ann, "", "If-Match", `"x"`)
	w.want(200, "DELETE", "/api/shared/files/up", ann, "")
	w.want(404, "DELETE", "/api/shared/files/up", ann, "")
}

// TestNamesInJSON: unlike a URL's, they are refused rather than made clean, and
// the answer says which.
func TestNamesInJSON(t *testing.T) {
	w := newWorld(t, nil)
	ann := w.token("ann", "")
	w.want(201, "PUT", "/api/shared/files/up", ann, "1")
	long := strings.Repeat("n", 256)
	for _, tt := range []struct{ path, body, where string }{
		{"/api/shared/mkdir", `{"name":"../dir"}`, "body.name"},
		{"/api/shared/mkdir", `{"name":"a/../b","parents":true}`, "body.name"},
		{"/api/shared/mkdir", `{"name":"` + long + `"}`, "body.name"},
		{"/api/shared/mkdir", `{"name":"` + strings.Repeat("nnn/", 1100) + `"}`, "body.name"},
		{"/api/shared/move", `{"from":"../up","to":"b"}`, "body.from"},
		{"/api/shared/move", `{"from":"up","to":"b/.."}`, "body.to"},
		{"/api/shared/move", `{"from":"up","to":"a\\b"}`, "body.to"},
		{"/api/shared/copy", `{"from":"up","to":"a\u0000"}`, "body.to"},
		{"/api/tokens", `{"path":"../docs"}`, "body.path"},
		{"/api/tokens", `{"path":"` + long + `"}`, "body.path"},
	} {
		p := decode[problem](t, w.want(422, "POST", tt.path, ann, tt.body))
		if len(p.Errors) != 1 || p.Errors[0].Location != tt.where {
			t.Errorf("POST %s %.60s: %+v, want %s", tt.path, tt.body, p, tt.where)
		}
	}
	w.want(201, "POST", "/api/shared/mkdir", ann, `{"name":"..dir/","parents":true}`)
}

// TestTransferNamesTheEndAtFault: the location of an error is the name to blame.
func TestTransferNamesTheEndAtFault(t *testing.T) {
	w := newWorld(t, nil)
	ann := w.token("ann", "")
	w.want(201, "PUT", "/api/shared/files/a", ann, "1")
	w.want(201, "PUT", "/api/shared/files/b", ann, "2")
	for _, op := range []string{"move", "copy"} {
		for to, want := range map[string]string{"b": "exists", "none/x": "no-parent"} {
			p := decode[problem](t, w.want(409, "POST", "/api/shared/"+op, ann, `{"from":"a","to":"`+to+`"}`))
			if p.Type != "urn:varve:problem:"+want || len(p.Errors) != 1 || p.Errors[0].Location != to {
				t.Errorf("%s to %s: %+v", op, to, p)
			}
		}
	}
	for _, got := range []answer{
		w.want(403, "POST", "/api/shared/move", ann, `{"from":".","to":"c"}`),
		w.want(403, "DELETE", "/api/shared/files/", ann, ""),
	} {
		if p := decode[problem](t, got); p.Type != "urn:varve:problem:root" {
			t.Errorf("the root: %+v", p)
		}
	}
	got := w.want(403, "PUT", "/api/shared/files/c", w.token("ann", "", authz.Read), "3")
	if p := decode[problem](t, got); p.Type != "urn:varve:problem:scope" {
		t.Errorf("without scope write: %+v", p)
	}
}

// TestUnknownQueryParameters are refused wherever the API answers, after what one
// may not see; pages take what links to them add.
func TestUnknownQueryParameters(t *testing.T) {
	w := newWorld(t, nil)
	ann := w.token("ann", "")
	for _, tt := range []struct{ method, path, where string }{
		{"GET", "/api/me?x=1", "query.x"},
		{"GET", "/api/shared/files?limit=2&depth=1", "query.depth"},
		{"PUT", "/api/shared/files/a?overwrite=1", "query.overwrite"},
		{"POST", "/api/shared/mkdir?parents=1", "query.parents"},
		{"POST", "/api/uploads?directory=docs", "query.directory"},
		{"GET", "/api/openapi.json?v=1", "query.v"},
		{"GET", "/api/me?a;b", "query"},
	} {
		p := decode[problem](t, w.want(422, tt.method, tt.path, ann, ""))
		if len(p.Errors) != 1 || p.Errors[0].Location != tt.where {
			t.Errorf("%s %s: %+v, want %s", tt.method, tt.path, p, tt.where)
		}
	}
	id, _ := w.session("ann")
	w.want(404, "GET", "/api/sessions/"+id+"/files?x=1", w.token("bob", ""), "")
	w.want(401, "GET", "/api/me?x=1", "", "")
	w.want(200, "GET", "/?utm_source=x", "", "")
	w.want(200, "GET", "/healthz?x", "", "")
}

// TestRangeBeyondTheEnd is a problem like any other.
func TestRangeBeyondTheEnd(t *testing.T) {
	w := newWorld(t, nil)
	ann := w.token("ann", "")
	w.want(201, "PUT", "/api/shared/files/a", ann, "123")
	for path, headers := range map[string][]string{
		"/api/shared/files/a": {"Range", "bytes=3-"},
		"/api/shared/files":   {"Range", "bytes=99999-"},
	} {
		got := w.want(416, "GET", path, ann, "", headers...)
		if p := decode[problem](t, got); p.Type != "urn:varve:problem:range" || got.header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("GET %s: %s %s", path, got.header.Get("Content-Type"), got.body)
		}
		if !strings.HasPrefix(got.header.Get("Content-Range"), "bytes */") || got.header.Get("ETag") != "" {
			t.Errorf("GET %s: headers %v", path, got.header)
		}
	}
	got := w.want(412, "GET", "/api/shared/files/a", ann, "", "If-Match", `"x"`)
	if p := decode[problem](t, got); p.Type != "urn:varve:problem:precondition" {
		t.Errorf("a condition that fails: %s", got.body)
	}
	w.want(416, "HEAD", "/api/shared/files/a", ann, "", "Range", "bytes=3-")
	w.want(206, "GET", "/api/shared/files/a", ann, "", "Range", "bytes=1-")
}

func TestListingPages(t *testing.T) {
	w := newWorld(t, nil)
	ann := w.token("ann", "")
	var want []string
	for i := range 7 {
		name := fmt.Sprintf("f%d", i)
		w.want(201, "PUT", "/api/uploads/"+name, ann, name)
		want = append(want, name)
	}
	var got []string
	next := ""
	for range 4 {
		page := decode[listing](t, w.want(200, "GET", "/api/uploads?limit=2&after="+next, ann, ""))
		for _, e := range page.Entries {
			got = append(got, e.Name)
		}
		if next = page.Next; next == "" {
			break
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("pages (-want +got):\n%s", diff)
	}
	whole := w.want(200, "GET", "/api/uploads/", ann, "")
	w.want(304, "GET", "/api/uploads/", ann, "", "If-None-Match", whole.header.Get("ETag"))
	if head := w.want(200, "HEAD", "/api/uploads/", ann, ""); head.body != "" || head.header.Get("Content-Type") != "application/json" {
		t.Errorf("HEAD: %+v", head)
	}
	for _, limit := range []string{"0", "-1", "x", "99999999999999999999"} {
		w.want(422, "GET", "/api/uploads?limit="+limit, ann, "")
	}
}

// form makes a multipart body; parts are name, filename, content.
func form(t *testing.T, parts ...[3]string) (body, contentType string) {
	t.Helper()
	var b bytes.Buffer
	m := multipart.NewWriter(&b)
	for _, p := range parts {
		if p[1] == "" {
			if err := m.WriteField(p[0], p[2]); err != nil {
				t.Fatal(err)
			}
			continue
		}
		part, err := m.CreateFormFile(p[0], p[1])
		if err != nil {
			t.Fatal(err)
		}
		part.Write([]byte(p[2]))
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String(), m.FormDataContentType()
}

func TestUploadForm(t *testing.T) {
	w := newWorld(t, nil)
	ann := w.token("ann", "")
	w.want(201, "POST", "/api/shared/mkdir", ann, `{"name":"in"}`)
	body, ct := form(t, [3]string{"dir", "", "in"}, [3]string{"file", "a.txt", "A"}, [3]string{"file", "b.txt", strings.Repeat("B", 40000)})

	up := decode[struct {
		Files []written
		Seq   int64
	}](t, w.want(201, "POST", "/api/uploads", ann, body, "Content-Type", ct))
	if len(up.Files) != 2 || up.Files[0].Seq != up.Files[1].Seq || up.Seq != up.Files[0].Seq {
		t.Errorf("one change for two files: %+v", up)
	}
	if got := w.want(200, "GET", "/api/uploads/in/a.txt", ann, ""); got.body != "A" {
		t.Errorf("in/a.txt is %q", got.body)
	}

	again, ct := form(t, [3]string{"dir", "", "in"}, [3]string{"file", "new.txt", "N"}, [3]string{"file", "a.txt", "AA"})
	w.want(409, "POST", "/api/uploads", ann, again, "Content-Type", ct)
	w.want(404, "GET", "/api/uploads/in/new.txt", ann, "")
	w.want(201, "POST", "/api/uploads?overwrite=1", ann, again, "Content-Type", ct)
	if got := w.want(200, "GET", "/api/uploads/in/a.txt", ann, ""); got.body != "AA" {
		t.Errorf("in/a.txt is %q", got.body)
	}

	w.want(400, "POST", "/api/uploads?overwrite=1", ann, again[:len(again)-60], "Content-Type", ct)
	w.want(415, "POST", "/api/uploads", ann, "x", "Content-Type", "text/plain")
	empty, ct := form(t, [3]string{"dir", "", "in"})
	w.want(422, "POST", "/api/uploads", ann, empty, "Content-Type", ct)
	elsewhere, ct := form(t, [3]string{"file", "../c.txt", "C"})
	w.want(201, "POST", "/api/uploads?dir=in", ann, elsewhere, "Content-Type", ct)
	w.want(200, "GET", "/api/uploads/in/c.txt", ann, "")
	for _, bad := range [][2]string{{"../../in", "c.txt"}, {"in", ".."}, {"in", strings.Repeat("n", 256)}} {
		escape, ct := form(t, [3]string{"dir", "", bad[0]}, [3]string{"file", bad[1], "C"})
		w.want(422, "POST", "/api/uploads", ann, escape, "Content-Type", ct)
	}
}

// TestUploadRefusedBeforeTheForm: who may not write shared need not begin.
func TestUploadRefusedBeforeTheForm(t *testing.T) {
	w := newWorld(t, nil)
	for _, tt := range []struct{ token, want string }{
		{w.token("ann", "a-session"), "read-only"},
		{w.token("ann", "", authz.Read), "scope"},
	} {
		got := w.want(403, "POST", "/api/uploads", tt.token, "no form", "Content-Type", "text/plain")
		if p := decode[problem](t, got); p.Type != "urn:varve:problem:"+tt.want {
			t.Errorf("%+v, want %s", p, tt.want)
		}
	}
	confined, err := w.keys.Mint(noon(), authz.Claims{Sub: "ann", Path: "docs"})
	if err != nil {
		t.Fatal(err)
	}
	w.want(201, "POST", "/api/shared/mkdir", confined, `{"name":"docs"}`)
	body, ct := form(t, [3]string{"file", "a", "A"})
	w.want(201, "POST", "/api/uploads?dir=docs", confined, body, "Content-Type", ct)
}

// TestNewSession: an empty id is one left out, and commands that mount it are
// shown only with a token that they would use.
func TestNewSession(t *testing.T) {
	w := newWorld(t, nil)
	ann := w.token("ann", "")
	if made := decode[sessionJSON](t, w.want(201, "POST", "/api/sessions", ann, `{"id":"","name":"","ttl":""}`)); len(made.ID) != 22 {
		t.Errorf("an empty id makes %+v", made)
	}
	mount := decode[struct{ Token string }](t, w.want(201, "POST", "/api/tokens", ann, `{"mount":true}`))
	got := w.want(201, "POST", "/api/sessions", mount.Token, "")
	made := decode[sessionJSON](t, got)
	if len(made.Mount) != 0 || made.Token != "" || !strings.Contains(got.body, `"note":"`) || strings.Contains(got.body, "$TOKEN") {
		t.Errorf("made with a mount token: %s", got.body)
	}
}

// TestNoEmptyETag: what has none does not say so.
func TestNoEmptyETag(t *testing.T) {
	w := newWorld(t, nil)
	if got := w.want(201, "POST", "/api/shared/mkdir", w.token("ann", ""), `{"name":"d"}`); strings.Contains(got.body, `"etag":""`) {
		t.Errorf("mkdir: %s", got.body)
	}
}

func TestTokens(t *testing.T) {
	w := newWorld(t, nil)
	ann := w.token("ann", "")
	id, _ := w.session("ann")
	bobs, _ := w.session("bob")
	type made struct {
		ID, Token, Session, Path string
		Scopes                   []string
		Mount                    bool
		Expires                  *time.Time
	}
	jwt := decode[made](t, w.want(201, "POST", "/api/tokens", ann, `{"scopes":["read"],"path":"/docs/","ttl":"1h"}`))
	if diff := cmp.Diff([]string{"read"}, jwt.Scopes); diff != "" || jwt.Path != "docs" || !jwt.Expires.Equal(noon().Add(time.Hour)) {
		t.Errorf("minted %+v", jwt)
	}
	w.want(403, "PUT", "/api/shared/files/docs/a", jwt.Token, "x")

	mount := decode[made](t, w.want(201, "POST", "/api/tokens", ann, `{"mount":true,"name":"Finder","session":"`+id+`"}`))
	if len(mount.Token) > 48 || mount.Session != id || !mount.Mount {
		t.Errorf("mount token %+v", mount)
	}
	w.want(201, "PUT", "/api/home/files/a", "", "x", "Authorization", basic(mount.Token))
	w.want(200, "GET", "/api/sessions/"+id+"/files/a", ann, "")
	w.want(403, "POST", "/api/tokens", mount.Token, `{}`)
	list := decode[struct{ Tokens []made }](t, w.want(200, "GET", "/api/tokens", ann, ""))
	if len(list.Tokens) != 1 || list.Tokens[0].ID != mount.ID || list.Tokens[0].Token != "" {
		t.Errorf("tokens %+v", list)
	}
	w.want(404, "DELETE", "/api/tokens/"+mount.ID, w.token("bob", ""), "")
	w.want(204, "DELETE", "/api/tokens/"+mount.ID, ann, "")
	w.want(401, "GET", "/api/me", mount.Token, "")
	w.want(404, "DELETE", "/api/tokens/zzz", ann, "")
	w.want(204, "DELETE", "/api/tokens/"+jwt.ID, ann, "")
	w.want(401, "GET", "/api/me", jwt.Token, "")

	// More than one has, or somebody else's: refused; and one cannot tell whether
	// another's session exists.
	w.want(403, "POST", "/api/tokens", ann, `{"scopes":["admin"]}`)
	w.want(403, "POST", "/api/tokens", ann, `{"sub":"bob"}`)
	w.want(403, "POST", "/api/tokens", ann, `{"ttl":"365d"}`)
	w.want(422, "POST", "/api/tokens", ann, `{"scopes":["everything"]}`)
	a := w.want(404, "POST", "/api/tokens", ann, `{"session":"`+bobs+`"}`)
	b := w.want(404, "POST", "/api/tokens", ann, `{"session":"no-such-session"}`)
	if diff := cmp.Diff(same(a), same(b), equalAnswers); diff != "" {
		t.Errorf("another's session differs from none:\n%s", diff)
	}
	operator := w.token("root", "", authz.Read, authz.Admin)
	w.want(403, "POST", "/api/tokens", operator, `{"session":"`+bobs+`","sub":"ann","scopes":["read"]}`)
	w.want(201, "POST", "/api/tokens", operator, `{"session":"`+bobs+`","sub":"bob","scopes":["read"]}`)
}

func TestSignIn(t *testing.T) {
	w := newWorld(t, nil)
	ann := w.token("ann", "")
	in := w.want(200, "POST", "/api/signin", "", `{"token":" `+ann+`\n"}`, "Sec-Fetch-Site", "same-origin")
	cookies := (&http.Response{Header: in.header}).Cookies()
	if len(cookies) != 1 {
		t.Fatalf("cookies %v", cookies)
	}
	c := cookies[0]
	if c.Name != "__Host-varve" || !c.HttpOnly || !c.Secure || c.SameSite != http.SameSiteStrictMode || c.Path != "/" || c.Domain != "" {
		t.Errorf("cookie %v", c)
	}
	me := w.want(200, "GET", "/api/me", "", "", "Cookie", c.Name+"="+c.Value)
	if !strings.Contains(me.body, `"sub":"ann"`) {
		t.Errorf("me %s", me.body)
	}
	w.want(401, "POST", "/api/signin", "", `{"token":"nonsense"}`)
	out := w.want(204, "POST", "/api/signout", "", "", "Cookie", c.Name+"="+c.Value, "Sec-Fetch-Site", "same-origin")
	if got := out.header.Get("Set-Cookie"); !strings.Contains(got, "__Host-varve=;") || !strings.Contains(got, "Max-Age=0") {
		t.Errorf("Set-Cookie %q", got)
	}
}

func TestHealth(t *testing.T) {
	w := newWorld(t, nil)
	w.want(200, "GET", "/healthz", "", "")
	if got := w.want(200, "GET", "/readyz", "nonsense", ""); !strings.Contains(got.body, `"ready":true`) {
		t.Errorf("readyz %s", got.body)
	}
	if got := w.want(200, "GET", "/.well-known/jwks.json", "", ""); !strings.Contains(got.body, "Ed25519") {
		t.Errorf("jwks %s", got.body)
	}
}

// TestStoreDown: what cannot be found out is 503, never "no" or "not found".
func TestStoreDown(t *testing.T) {
	w := newWorld(t, nil)
	ann, operator := w.token("ann", ""), w.token("root", "", authz.Read, authz.Admin)
	if err := w.log.Close(); err != nil {
		t.Fatal(err)
	}
	w.want(200, "GET", "/healthz", "", "")
	for _, path := range []string{"/readyz", "/api/me", "/api/shared/files/a", "/api/sessions/some-session", "/dav/"} {
		w.want(503, "GET", path, ann, "")
	}
	if got := w.want(503, "GET", "/readyz", "", ""); strings.Contains(got.body, "detail") {
		t.Errorf("anybody learns %s", got.body)
	}
	w.want(503, "GET", "/readyz", operator, "")
	if log := w.logged.String(); !strings.Contains(log, `"error":`) {
		t.Errorf("log %s", log)
	}
}
