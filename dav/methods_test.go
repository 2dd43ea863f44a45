package dav_test

import (
	"bufio"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"varve/layers"
)

// raw sends bytes as they are and returns the status of the answer.
func (h hand) raw(format string, args ...any) int {
	h.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(h.url, "http://"))
	if err != nil {
		h.t.Fatal(err)
	}
	defer conn.Close()
	auth := "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(h.account+":"+h.session))
	fmt.Fprintf(conn, strings.Replace(format, "AUTH", auth, 1), args...)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		h.t.Fatal(err)
	}
	io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

func TestPut(t *testing.T) {
	h := newServer(t).user("ann")
	got := h.do("PUT", "/dav/a.txt", "one", "X-OC-Mtime", "1700000000").want(201).headed("X-OC-Mtime", "accepted")
	got.headed("Last-Modified", "Tue, 14 Nov 2023 22:13:20 GMT")
	h.do("HEAD", "/dav/a.txt", "").want(200).headed("ETag", got.header.Get("ETag")).headed("Content-Length", "3")
	h.do("PUT", "/dav/a.txt", "two", "X-OC-Mtime", "no time").want(204).headed("X-OC-Mtime", "")
	h.do("PUT", "/dav/a.txt", "two").want(204)
	h.do("PUT", "/dav/empty", "").want(201)
	h.do("PUT", "/dav/slash/", "x").want(405)
	h.do("PUT", "/dav/no/parent", "x").want(409)
	h.do("PUT", "/dav/a.txt/b", "x").want(409)
	h.do("PUT", "/dav/", "x").want(405)
	h.do("PUT", "/dav/x%00y", "x").want(400)
	h.do("PUT", "/dav/"+strings.Repeat("x", 256), "x").want(414)
	h.do("PUT", "/davc/x", "x").want(404)
	h.do("GET", "/dav/c/x", "").want(404)
	h.do("MKCOL", "/dav/d", "").want(201)
	h.do("PUT", "/dav/d", "x").want(405)
	// An encoded slash is a slash, and dots never lead out.
	h.do("PUT", "/dav/d%2Fe.txt", "x").want(201)
	h.do("GET", "/dav/d/e.txt", "").want(200)
	h.do("PUT", "/dav/d%2F..%2F..%2F..%2Ff.txt", "x").want(404)
	h.do("PUT", "/dav/d/%2e%2e/g.txt", "x").want(201)
	h.do("GET", "/dav/g.txt", "").want(200)
	if got := h.raw("PUT /dav/x HTTP/1.0\r\nAUTH\r\n\r\nx"); got != 411 {
		t.Errorf("PUT of HTTP/1.0 without a length = %d, want 411", got)
	}
	if got := h.raw("PUT /dav/x HTTP/1.0\r\nAUTH\r\nContent-Length: 1\r\n\r\nx"); got != 201 {
		t.Errorf("PUT of HTTP/1.0 with a length = %d, want 201", got)
	}
}

func TestContentType(t *testing.T) {
	h := newServer(t).user("ann")
	for sent, want := range map[string]string{
		"": "text/plain; charset=utf-8", "application/octet-stream": "text/plain; charset=utf-8",
		"application/x-www-form-urlencoded": "text/plain; charset=utf-8", "no type": "text/plain; charset=utf-8",
		"text/x-special": "text/x-special", "Text/HTML;charset=\"latin1\"": "text/html; charset=latin1",
	} {
		h.do("PUT", "/dav/a.txt", "x"+sent, "Content-Type", sent)
		h.do("GET", "/dav/a.txt", "").want(200).headed("Content-Type", want)
		h.do("PROPFIND", "/dav/a.txt", "").want(207).has("<D:getcontenttype>" + want + "<")
	}
}

func TestMkcol(t *testing.T) {
	h := newServer(t).user("ann")
	xml := []string{"Content-Type", "application/xml"}
	h.do("MKCOL", "/dav/a", "").want(201)
	h.do("MKCOL", "/dav/a/", "").want(405)
	h.do("MKCOL", "/dav/", "").want(405)
	h.do("MKCOL", "/dav/b/c/", "").want(409)
	h.do("MKCOL", "/dav/b", "nonsense", "Content-Type", "text/plain").want(415)
	h.do("MKCOL", "/dav/b", "<x/>", xml...).want(415)
	h.do("MKCOL", "/dav/b", "<x", xml...).want(400)
	if got := h.raw("MKCOL /dav/b HTTP/1.1\r\nHost: h\r\nAUTH\r\nContent-Type: a/b\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n"); got != 415 {
		t.Errorf("MKCOL with a chunked body = %d, want 415", got)
	}
	const body = `<mkcol xmlns="DAV:"><set><prop><resourcetype><collection/>%s</resourcetype><displayname>B</displayname>` +
		`<c xmlns="urn:x">red</c>%s</prop></set></mkcol>`
	h.do("MKCOL", "/dav/b", fmt.Sprintf(body, `<calendar xmlns="urn:ietf:params:xml:ns:caldav"/>`, ""), xml...).want(403).has("valid-resourcetype")
	h.do("MKCOL", "/dav/b", fmt.Sprintf(body, "", `<getetag/>`), xml...).want(403).has("cannot-modify-protected-property")
	h.do("PROPFIND", "/dav/b", "").want(404)
	h.do("MKCOL", "/dav/b", fmt.Sprintf(body, "", ""), xml...).want(201)
	h.do("PROPFIND", "/dav/b", "", "Depth", "0").want(207).has(`<N:c xmlns:N="urn:x">red</N:c>`)
}

func TestDelete(t *testing.T) {
	h := newServer(t).user("ann")
	h.do("MKCOL", "/dav/d", "").want(201)
	h.do("PUT", "/dav/d/f", "x").want(201)
	h.do("DELETE", "/dav/d", "", "Depth", "0").want(400)
	h.do("DELETE", "/dav/d", "", "Depth", "1").want(400)
	h.do("DELETE", "/dav/d/f", "", "Depth", "0").want(204)
	h.do("DELETE", "/dav/d/f", "").want(404)
	h.do("DELETE", "/dav/d/", "", "Depth", "infinity").want(204)
	if got := h.do("DELETE", "/dav/", "").status; got != 403 {
		t.Errorf("DELETE of the root = %d, want 403", got)
	}
}

// TestTransferRules has COPY and MOVE where others lose data.
func TestTransferRules(t *testing.T) {
	h := newServer(t).user("ann")
	h.do("MKCOL", "/dav/t", "").want(201)
	h.do("MKCOL", "/dav/t/s", "").want(201)
	h.do("PUT", "/dav/t/s/f", "deep").want(201)
	h.do("PUT", "/dav/a", "a").want(201)
	h.do("PUT", "/dav/b", "b").want(201)
	for _, test := range []struct {
		method, from, to string
		header           []string
		want             int
	}{
		{"MOVE", "/dav/missing", "/dav/b", nil, 404},
		{"COPY", "/dav/missing", "/dav/b", nil, 404},
		{"MOVE", "/dav/t/s", "/dav/t", nil, 403},
		{"MOVE", "/dav/t", "/dav/t/s/x", nil, 403},
		{"COPY", "/dav/t", "/dav/t/", nil, 403},
		{"COPY", "/dav/t", "/dav//t/.", nil, 403},
		{"COPY", "/dav/t", "/dav/t/s/x", nil, 403},
		{"COPY", "/dav/t/s", "/dav/t", nil, 403},
		{"MOVE", "/dav/a", "/dav/a", nil, 403},
		{"COPY", "/dav/a", "/dav/no/parent", nil, 409},
		{"MOVE", "/dav/a", "/dav/no/parent", nil, 409},
		{"COPY", "/dav/a", "/dav/b", []string{"Overwrite", "F"}, 412},
		{"MOVE", "/dav/a", "/dav/b", []string{"Overwrite", "F"}, 412},
		{"MOVE", "/dav/a", "/dav/b", []string{"Overwrite", "maybe"}, 400},
		{"COPY", "/dav/t", "/dav/u", []string{"Depth", "1"}, 400},
		{"MOVE", "/dav/t", "/dav/u", []string{"Depth", "0"}, 400},
		{"MOVE", "/dav/t", "/dav/u", []string{"Depth", "2"}, 400},
		{"MOVE", "/dav/a", "/sessions/none-of-hers/x", nil, 404},
		{"MOVE", "/dav/a", "/api/x", nil, 404},
		{"COPY", "/dav/a", "http://other.invalid/dav/x", nil, 502},
	} {
		seq := h.seq()
		h.do(test.method, test.from, "", append(test.header, "Destination", test.to)...).want(test.want)
		if h.seq() != seq {
			t.Errorf("%s %s to %s changed something", test.method, test.from, test.to)
		}
	}
	h.do("COPY", "/dav/a", "").want(400)

	h.do("COPY", "/dav/a", "", "Depth", "1", "Destination", "/dav/c").want(201).headed("Location", "/dav/c")
	h.do("MOVE", "/dav/a", "", "Depth", "0", "Destination", "/dav/b").want(204)
	h.do("GET", "/dav/b", "").want(200).has("a")
	h.do("COPY", "/dav/t/", "", "Depth", "0", "Destination", "/dav/shallow/").want(201).headed("Location", "/dav/shallow/")
	h.do("GET", "/dav/shallow/s", "").want(404)
	h.do("MOVE", "/dav/t", "", "Destination", "/shared/u").want(201) // the same tree by another name
	h.do("GET", "/dav/u/s/f", "").want(200).has("deep")
}

func TestCopyBetweenTrees(t *testing.T) {
	s := newServer(t)
	ann, agent := s.user("ann"), s.agent("ann", "session-aaaa")
	ann.do("PUT", "/dav/in.txt", "from shared").want(201)
	agent.do("PUT", "/dav/out.txt", "from the session").want(201)
	ann.do("COPY", "/sessions/session-aaaa/out.txt", "", "Destination", "/dav/taken.txt").want(201)
	ann.do("GET", "/dav/taken.txt", "").want(200).has("from the session")
	ann.do("GET", "/dav/out.txt", "").want(404)
	ann.do("MOVE", "/sessions/session-aaaa/out.txt", "", "Destination", "/dav/moved.txt").want(403)
	ann.do("COPY", "/dav/in.txt", "", "Destination", "/sessions/session-aaaa/x.txt").want(403)
	agent.do("COPY", "/shared/in.txt", "", "Destination", "/dav/mine.txt").want(201)
	agent.do("PUT", "/shared/x.txt", "x").want(403)
	agent.do("GET", "/sessions/session-aaaa/mine.txt", "").want(200)
	agent.do("PUT", "/sessions/session-aaaa/own.txt", "x").want(201)
	ann.do("PUT", "/sessions/session-aaaa/own.txt", "x").want(403)
}

func TestUnknownMethods(t *testing.T) {
	h := newServer(t).user("ann")
	for _, method := range []string{"POST", "PATCH", "REPORT", "SEARCH", "ACL", "MKCALENDAR", "BIND"} {
		h.do(method, "/dav/x", "").want(405).headed("Allow", "OPTIONS, GET, HEAD, PUT, DELETE, MKCOL, COPY, MOVE, PROPFIND, PROPPATCH, LOCK, UNLOCK")
	}
	for _, method := range []string{"FROBNICATE", "put", "GETT"} {
		h.do(method, "/dav/x", "").want(501)
	}
	for _, method := range []string{"PUT", "DELETE", "MKCOL", "LOCK", "PROPPATCH", "COPY"} {
		h.do(method, "/", "").want(405)
		h.do(method, "/sessions/", "").want(405).headed("Allow", "OPTIONS, GET, HEAD, PROPFIND")
	}
	for _, root := range []string{"/granted/", "/at/yesterday/dav/", "/versions/1/1", "/trash/"} {
		h.do("GET", root, "").want(404)
		h.do("PROPFIND", root, "").want(404)
	}
}

func TestOptions(t *testing.T) {
	s := newServer(t)
	ann, agent := s.user("ann"), s.agent("ann", "session-aaaa")
	agent.do("PUT", "/dav/x", "x").want(201)
	for _, path := range []string{"/", "/dav", "/dav/", "/dav/not/there", "/sessions/", "/sessions/nobodys", "//dav//", "/davc"} {
		ann.do("OPTIONS", path, "").want(200).headed("DAV", "1, 2, 3, extended-mkcol").headed("MS-Author-Via", "DAV").
			headed("Content-Length", "0")
	}
	if got := ann.raw("OPTIONS * HTTP/1.1\r\nHost: h\r\nAUTH\r\n\r\n"); got != 200 {
		t.Errorf("OPTIONS * = %d", got)
	}
	// What may only be read announces no locks: Finder mounts it read-only.
	ann.do("OPTIONS", "/sessions/session-aaaa/", "").want(200).headed("DAV", "1, 3")
	agent.do("OPTIONS", "/shared/", "").want(200).headed("DAV", "1, 3")
	agent.do("OPTIONS", "/sessions/session-aaaa/", "").want(200).headed("DAV", "1, 2, 3, extended-mkcol")
}

func TestGet(t *testing.T) {
	h := newServer(t).user("ann")
	text := strings.Repeat("0123456789", 10_000) // lies in a file
	etag := h.do("PUT", "/dav/f.bin", text).want(201).header.Get("ETag")
	got := h.do("GET", "/dav/f.bin", "").want(200).headed("ETag", etag).headed("X-Content-Type-Options", "nosniff").
		headed("Content-Security-Policy", "sandbox; default-src 'none'").headed("Content-Length", "100000")
	if got.body != text {
		t.Error("GET gives other bytes")
	}
	h.do("GET", "/dav/f.bin", "", "Range", "bytes=99998-").want(206).has("89")
	h.do("GET", "/dav/f.bin", "", "Range", "bytes=0-0,5-5").want(206)
	h.do("GET", "/dav/f.bin", "", "Range", "bytes=200000-").want(416)
	h.do("GET", "/dav/f.bin", "", "If-None-Match", etag).want(304)
	h.do("GET", "/dav/f.bin", "", "If-Match", `"no"`).want(412)
	h.do("GET", "/dav/f.bin", "", "If-Modified-Since", got.header.Get("Last-Modified")).want(304)
	h.do("MKCOL", "/dav/d", "").want(201)
	h.do("PUT", "/dav/d/<&>.txt", "x").want(201)
	h.do("GET", "/dav/d", "").want(200).headed("Content-Type", "text/plain; charset=utf-8").has("<&>.txt")
	h.do("GET", "/dav/d/", "", "Accept", "text/html").want(200).has(`<a href="/dav/d/%3C%26%3E.txt">&lt;&amp;&gt;.txt</a>`).lacks("<&>")
	h.do("HEAD", "/dav/d", "", "Accept", "text/html").want(200).headed("Content-Type", "text/html; charset=utf-8")
	h.do("GET", "/sessions/", "").want(200)
}

// TestHeadAsksForNoContent: it answers as GET would, by range and condition too,
// while the content itself cannot be had.
func TestHeadAsksForNoContent(t *testing.T) {
	s := newServer(t)
	h := s.user("ann")
	text := strings.Repeat("0123456789", 10_000) // lies in a file
	etag := h.do("PUT", "/dav/f.bin", text).want(201).header.Get("ETag")
	conditions := [][]string{
		nil,
		{"Range", "bytes=99998-"},
		{"Range", "bytes=0-0"},
		{"Range", "bytes=200000-"},
		{"If-None-Match", etag},
		{"If-Match", `"no"`},
		{"Range", "bytes=0-1", "If-Range", `"no"`},
		{"Want-Content-Digest", "sha-256=1"},
	}
	var want []answer
	for _, c := range conditions {
		want = append(want, h.do("GET", "/dav/f.bin", "", c...))
	}
	blobs := filepath.Join(s.dir, "blobs")
	if err := os.Rename(blobs, blobs+".away"); err != nil {
		t.Fatal(err)
	}
	defer os.Rename(blobs+".away", blobs)
	for i, c := range conditions {
		got := h.do("HEAD", "/dav/f.bin", "", c...).want(want[i].status)
		for _, header := range []http.Header{want[i].header, got.header} {
			header.Del("Date")
			if got.body == "" && want[i].body == "" { // net/http states the length of a GET's, and of a HEAD's it cannot
				header.Del("Content-Length")
			}
		}
		if diff := cmp.Diff(want[i].header, got.header); diff != "" {
			t.Errorf("HEAD with %v (-GET +HEAD):\n%s", c, diff)
		}
	}
	h.do("HEAD", "/dav/f.bin", "", "Range", "bytes=0-0,5-5").want(206)
}

// TestListingInABrowser: the page is ours and may do what it needs, stored content
// may nothing.
func TestListingInABrowser(t *testing.T) {
	h := newServer(t).user("ann")
	h.do("MKCOL", "/dav/d", "").want(201)
	h.do("PUT", "/dav/d/a.zip", strings.Repeat("x", 12_345)).want(201)
	h.do("PUT", "/dav/d/page.html", "<script>").want(201)
	page := h.do("GET", "/dav/d/", "", "Accept", "text/html").want(200).has(`<a href="/dav/d/a.zip">a.zip</a>`, "12.3 kB", `<a href="/dav/">`)
	policy := page.header.Get("Content-Security-Policy")
	if strings.Contains(policy, "sandbox") || !strings.HasPrefix(policy, "default-src 'none'; style-src 'sha256-") ||
		!strings.HasSuffix(policy, "'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'") {
		t.Errorf("the policy of the page is %q", policy)
	}
	_, style, _ := strings.Cut(page.body, "<style>")
	style, _, _ = strings.Cut(style, "</style>")
	sum := sha256.Sum256([]byte(style))
	if want := base64.StdEncoding.EncodeToString(sum[:]); !strings.Contains(policy, want) {
		t.Errorf("the policy %q does not allow the page's style, %s", policy, want)
	}
	page.lacks("<script", "src=", "url(")
	h.do("GET", "/dav/d/page.html", "").want(200).headed("Content-Security-Policy", "sandbox; default-src 'none'")
	h.do("GET", "/dav/d/", "").want(200).headed("Content-Security-Policy", "sandbox; default-src 'none'")
}

// TestRootStays: the answer says that, and not that a token does not allow it.
func TestRootStays(t *testing.T) {
	h := newServer(t).user("ann")
	h.do("DELETE", "/dav/", "").want(403).has("the root of a tree")
	h.do("MOVE", "/dav/", "", "Destination", "/dav/x").want(403).has("the root of a tree")
	agent := hand{h.server, t, "ann", "session-one"}
	agent.do("PUT", "/shared/x", "x").want(403).has("below /dav/")
}

// TestBigContentIsAFile: only an *os.File goes out by sendfile.
func TestBigContentIsAFile(t *testing.T) {
	s := newServer(t)
	s.user("ann").do("PUT", "/dav/f", strings.Repeat("x", 100_000)).want(201)
	who := layers.Caller{Principal: principal("ann", "-")}
	f, err := s.store.View(who, layers.Scope{}).Open(t.Context(), "f")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, ok := f.Content.(*os.File); !ok {
		t.Errorf("content is a %T", f.Content)
	}
}
