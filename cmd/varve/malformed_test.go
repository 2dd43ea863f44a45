package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// odd is what no client of good will sends, and the answers it may get; closed is
// none at all.
type odd struct {
	name, text string
	want       []int
}

const closed = 0

// oddly builds requests of a user.
type oddly struct{ token string }

// request writes one with a body of the given length.
func (o oddly) request(method, target, body string, headers ...string) string {
	if body != "" {
		headers = append(headers, fmt.Sprintf("Content-Length: %d", len(body)))
	}
	headers = append(headers, "Authorization: Bearer "+o.token)
	return method + " " + target + " HTTP/1.1\r\nHost: x\r\n" + strings.Join(headers, "\r\n") + "\r\n\r\n" + body
}

// bodies are XML and JSON that are meant to hurt.
func (o oddly) bodies() []odd {
	var laughs strings.Builder
	laughs.WriteString(`<!DOCTYPE a [<!ENTITY a0 "ha">`)
	for i := range 30 {
		fmt.Fprintf(&laughs, `<!ENTITY a%d "&a%d;&a%d;">`, i+1, i, i)
	}
	laughs.WriteString(`]><propfind xmlns="DAV:"><prop><a>&a30;</a></prop></propfind>`)
	deep := func(n int) string {
		return `<propfind xmlns="DAV:"><prop>` + strings.Repeat("<a>", n) + strings.Repeat("</a>", n) + `</prop></propfind>`
	}
	update := func(prop string) string {
		return `<propertyupdate xmlns="DAV:"><set><prop>` + prop + `</prop></set></propertyupdate>`
	}
	var all []odd
	for name, body := range map[string]string{
		"entities":        laughs.String(),
		"external":        `<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><propfind xmlns="DAV:"><prop><a>&b;</a></prop></propfind>`,
		"a document type": `<!DOCTYPE propfind SYSTEM "http://127.0.0.1/x.dtd"><propfind xmlns="DAV:"><allprop/></propfind>`,
		"40 levels":       deep(40), "8000 levels": deep(8000), "8000 levels without end": deep(8000)[:20_000],
		"no XML": "hello", "half XML": `<propfind xmlns="DAV:"><prop>`, "NUL": "<propfind xmlns='DAV:'><prop>\x00</prop></propfind>",
		"no UTF-8": "<propfind xmlns='DAV:'><prop>\xff</prop></propfind>", "two roots": askAll + askAll, "UTF-16": "\xff\xfe<\x00p\x00",
		"undeclared prefix": `<D:propfind><D:prop/></D:propfind>`, "another element": `<a xmlns="DAV:"/>`, "blanks": strings.Repeat(" ", 60_000) + "x",
		"9000 properties":  `<propfind xmlns="DAV:"><prop>` + strings.Repeat("<a/>", 9000) + `</prop></propfind>`,
		"2000 namespaces":  `<propfind xmlns="DAV:"` + manyNamespaces(2000) + `><allprop/></propfind>`,
		"3000 attributes":  `<propfind xmlns="DAV:"><prop><a ` + manyAttributes(3000) + `/></prop></propfind>`,
		"one name of 60kB": `<propfind xmlns="DAV:"><prop><` + strings.Repeat("a", 60_000),
	} {
		all = append(all,
			odd{"PROPFIND: " + name, o.request("PROPFIND", "/dav/", body, "Depth: 1"), []int{400}},
			odd{"LOCK: " + name, o.request("LOCK", "/dav/a", body), []int{400}},
			odd{"PROPPATCH: " + name, o.request("PROPPATCH", "/dav/file", body), []int{400}},
			odd{"MKCOL: " + name, o.request("MKCOL", "/dav/new", body), []int{400, 415}},
		)
	}
	spacy := strings.Repeat(" ", 70_000)
	return append(all,
		odd{"large PROPFIND", o.request("PROPFIND", "/dav/", spacy+askAll, "Depth: 1"), []int{413}},
		odd{"large LOCK", o.request("LOCK", "/dav/a", spacy+exclusiveLock), []int{413}},
		odd{"large PROPPATCH", o.request("PROPPATCH", "/dav/file", update(strings.Repeat("<a/>", 300_000))), []int{413}},
		odd{"endless PROPFIND", o.request("PROPFIND", "/dav/", "", "Transfer-Encoding: chunked") + chunked(strings.Repeat(" ", 1<<20)), []int{413}},
		odd{"PROPFIND of a terabyte", o.request("PROPFIND", "/dav/", "", "Content-Length: 1099511627776"), []int{413}},
		odd{"property of a long namespace", o.request("PROPPATCH", "/dav/file",
			update(`<b xmlns:n="`+strings.Repeat("n", 500_000)+`">`+strings.Repeat("<n:a/>", 70_000)+"</b>")), []int{400}},
		odd{"larger properties than an entry holds", o.request("PROPPATCH", "/dav/file", update("<a>"+strings.Repeat("&gt;", 250_000)+"</a>")), []int{207}},
		odd{"COPY with a body", o.request("COPY", "/dav/file", askAll, "Destination: /dav/file"), []int{403, 415}},
		odd{"JSON without end", o.request("POST", "/api/shared/mkdir", strings.Repeat("[", 500_000), "Content-Type: application/json"), []int{400, 422}},
		odd{"deep JSON", o.request("POST", "/api/shared/mkdir", strings.Repeat(`{"name":`, 60_000)+"1"+strings.Repeat("}", 60_000),
			"Content-Type: application/json"), []int{400, 422}},
		odd{"large JSON", o.request("POST", "/api/shared/mkdir", `{"name":"`+strings.Repeat("a", 2<<20)+`"}`, "Content-Type: application/json"), []int{413}},
		odd{"JSON of another kind", o.request("POST", "/api/shared/mkdir", `[1]`, "Content-Type: application/json"), []int{400, 422}},
		odd{"form without boundary", o.request("POST", "/api/uploads", "x", "Content-Type: multipart/form-data"), []int{400, 415}},
		odd{"form with one long header", o.request("POST", "/api/uploads", "--b\r\nX: "+strings.Repeat("a", 20<<20)+"\r\n\r\n--b--",
			"Content-Type: multipart/form-data; boundary=b"), []int{400, 413}},
		odd{"form of 2000 files", o.request("POST", "/api/uploads", strings.Repeat("--b\r\nContent-Disposition: form-data; name=f; filename=a\r\n\r\nx\r\n", 2000)+"--b--",
			"Content-Type: multipart/form-data; boundary=b"), []int{400, 409, 413, 422}},
	)
}

func manyNamespaces(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, ` xmlns:n%d="u:%d"`, i, i)
	}
	return b.String()
}

func manyAttributes(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, ` a%d="%d"`, i, i)
	}
	return b.String()
}

// headers are fields with values that mean nothing.
func (o oddly) headers() []odd {
	long := strings.Repeat("a", 40_000)
	all := []odd{
		{"1 MB header", o.request("GET", "/dav/file", "", "X-A: "+strings.Repeat("a", 1<<20)), []int{431}},
		{"5000 headers", o.request("GET", "/dav/file", "", slices.Repeat([]string{"X-A: " + long[:10]}, 5000)...), []int{431}},
		{"1000 headers", o.request("GET", "/dav/file", "", slices.Repeat([]string{"X-A: a"}, 1000)...), []int{200}},
		{"long token", strings.Replace(o.request("GET", "/dav/file", ""), o.token, long, 1), []int{401}},
		{"token of dots", strings.Replace(o.request("GET", "/dav/file", ""), o.token, strings.Repeat(".", 40_000), 1), []int{401}},
		{"Depth of COPY", o.request("COPY", "/dav/dir", "", "Destination: /dav/b", "Depth: 1"), []int{400}},
		{"Overwrite", o.request("COPY", "/dav/file", "", "Destination: /dav/b", "Overwrite: maybe"), []int{400}},
		{"no Destination", o.request("MOVE", "/dav/file", ""), []int{400}},
		{"UNLOCK of nothing", o.request("UNLOCK", "/dav/file", ""), []int{400}},
		{"UNLOCK of what is no token", o.request("UNLOCK", "/dav/file", "", "Lock-Token: <<<"), []int{400}},
		{"UNLOCK of an unknown token", o.request("UNLOCK", "/dav/file", "", "Lock-Token: <opaquelocktoken:"+long+">"), []int{409}},
		{"If-Match without quotes", o.request("PUT", "/dav/file", "x", "If-Match: "+long), []int{400, 412}},
		{"If-Match of 5000 tags", o.request("PUT", "/dav/file", "x", "If-Match: "+strings.Repeat(`"a",`, 5000)), []int{400, 412}},
		{"bad Content-Digest", o.request("PUT", "/dav/file", "x", "Content-Digest: sha-256="+long), []int{400}},
		{"bad OC-Checksum", o.request("PUT", "/dav/file", "x", "OC-Checksum: MD5:"+long), []int{400}},
		{"X-Expected-Entity-Length", o.request("PUT", "/dav/file", "x", "X-Expected-Entity-Length: -1"), []int{400}},
		{"two lengths", o.request("PUT", "/dav/file", "x", "Content-Length: 2"), []int{400}},
		{"unknown transfer coding", o.request("PUT", "/dav/file", "", "Transfer-Encoding: gzip"), []int{400, 501}},
		{"unknown expectation", o.request("PUT", "/dav/file", "x", "Expect: a-miracle"), []int{417}},
	}
	for _, v := range []string{"-1", "2", "1e9", "00", "infinity1", "1, infinity", long} {
		all = append(all, odd{"Depth: " + v[:min(len(v), 20)], o.request("PROPFIND", "/dav/", "", "Depth: "+v), []int{400}})
	}
	for _, v := range []string{"(", ")", "()", "(<", "(<>)", "([])", `(["])`, "(Not)", "(Not Not <a:b>)", "<http://x/>", "<%zz> (<a:b>)", "x", "(<a:b>", "(<a:b>) x",
		strings.Repeat("(", 40_000), strings.Repeat("(Not <a:b>", 4_000), strings.Repeat("(<a:b>)", 5_000), strings.Repeat("<http://x/a> (<a:b>)", 2_000)} {
		all = append(all, odd{"If: " + v[:min(len(v), 20)], o.request("PUT", "/dav/file", "x", "If: "+v), []int{400, 412}})
	}
	for _, v := range []string{"dav/b", "mailto:x", "http://[::1", "http://%zz/", "/dav/%zz", "/dav/%", "/dav/%00", "/dav/a%5Cb", "/dav/%ff", "/dav/%0a", "://", "?",
		"/dav/" + long, "/dav/" + strings.Repeat("%2F..", 5_000), "/nowhere/b", "http://elsewhere/dav/b", "//elsewhere/dav/b", "/"} {
		all = append(all, odd{"Destination: " + v[:min(len(v), 20)], o.request("MOVE", "/dav/file", "", "Destination: "+v), []int{400, 403, 404, 409, 414, 502}})
	}
	for _, v := range []string{"Second-", "Second--1", "Second-99999999999999999999", "Infinite, Second-4100000000", "hello", long} {
		all = append(all, odd{"Timeout: " + v[:min(len(v), 20)], o.request("LOCK", "/dav/file", exclusiveLock, "Timeout: "+v), []int{200, 423}})
	}
	for _, v := range []string{"bytes=", "bytes=a-b", "bytes=5-2", "bytes=-0", "bytes=99999999999999999999-", "bytes=100-", "bytes=--1", "lines=1-2", "bytes=" + strings.Repeat("0-0,", 10_000) + "1-1", long} {
		all = append(all, odd{"Range: " + v[:min(len(v), 20)], o.request("GET", "/dav/file", "", "Range: "+v), []int{200, 206, 416}})
	}
	for _, v := range []string{"-1", "+1", "0x10", "1e3", "a", "", "99999999999999999999", "1, 2", "1 2"} {
		all = append(all, odd{"Content-Length: " + v, o.request("PUT", "/dav/file", "", "Content-Length: "+v), []int{400}})
	}
	return all
}

// targets are paths that lead nowhere.
func (o oddly) targets() []odd {
	var all []odd
	for target, want := range map[string]int{
		"/dav/%": 400, "/dav/%zz": 400, "/dav/%2": 400, "/dav/%00": 400, "/dav/a%00b": 400, "/dav/%01": 400, "/dav/%7F": 400, "/dav/%ff": 400, "/dav/%c0%af": 400,
		"/dav/%ed%a0%80": 400, "/dav/a%5C..%5Cb": 400, "/dav/a\x7fb": 400, "/dav/a\tb": 400, "dav/file": 400, "": 400, "/dav/%C2%85": 400,
		"/dav/" + strings.Repeat("a", 256): 414, "/dav/" + strings.Repeat("%C3%A4", 128): 414, "/dav/" + strings.Repeat("a/", 2_100) + "a": 414,
		"/dav/" + strings.Repeat("a", 50_000): 414, "/dav/" + strings.Repeat("a", 1<<20): 431,
	} {
		for _, method := range []string{"GET", "PUT", "PROPFIND", "MKCOL"} {
			name := target[:min(len(target), 30)]
			body := ""
			if method == "PUT" {
				body = "x"
			}
			all = append(all, odd{fmt.Sprintf("%s %q", method, name), o.request(method, target, body), []int{want}})
		}
	}
	return all
}

// noise is no HTTP, or hardly.
func (o oddly) noise() []odd {
	get := o.request("GET", "/dav/file", "")
	refused := []int{400, closed}
	all := []odd{
		{"zeros", strings.Repeat("\x00", 100_000), []int{400, 431, closed}}, {"line feeds", strings.Repeat("\n", 100_000), []int{400, 431, closed}},
		{"one line", strings.Repeat("a", 2<<20), []int{400, 431, closed}}, {"TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + string(random(1, 500)), refused},
		{"HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", []int{400, 401, 405, 505, closed}}, {"SSH", "SSH-2.0-OpenSSH_9.2\r\n", refused},
		{"HTTP/0.9", "GET /dav/file\r\n\r\n", refused}, {"HTTP/9.9", strings.Replace(get, "HTTP/1.1", "HTTP/9.9", 1), []int{400, 505}},
		{"no version", strings.Replace(get, " HTTP/1.1", "", 1), refused}, {"no Host", strings.Replace(get, "Host: x\r\n", "", 1), refused},
		{"two Hosts", strings.Replace(get, "Host: x", "Host: x\r\nHost: y", 1), refused}, {"Host with a slash", strings.Replace(get, "Host: x", "Host: x/y z", 1), refused},
		{"header without colon", strings.Replace(get, "Host: x", "Host: x\r\nhello", 1), refused}, {"blank before colon", strings.Replace(get, "Host: x", "Host: x\r\nA : b", 1), refused},
		{"NUL in a header", strings.Replace(get, "Host: x", "Host: x\r\nA: \x00", 1), refused}, {"header cut off", get[:len(get)-2], refused},
		{"method of signs", strings.Replace(get, "GET", "G@T", 1), refused}, {"long method", strings.Replace(get, "GET", strings.Repeat("G", 50_000), 1), []int{400, 501}},
		{"unknown method", strings.Replace(get, "GET", "FROBNICATE", 1), []int{501}}, {"method in small letters", strings.Replace(get, "GET", "get", 1), []int{405, 501}},
		{"TRACE", strings.Replace(get, "GET", "TRACE", 1), []int{405}}, {"CONNECT", strings.Replace(get, "GET /dav/file", "CONNECT x:80", 1), []int{400, 401, 404, 405, 501}},
	}
	for i := range 20 {
		all = append(all, odd{fmt.Sprintf("noise %d", i), string(random(uint64(i), 1+i*500)), refused})
	}
	return all
}

// TestMalformed sends what is wrong in every way: each gets a clear answer or
// none, and the server goes on in the memory it has.
func TestMalformed(t *testing.T) {
	full(t)
	s := startServer(t)
	o := oddly{s.token("ann")}
	s.must("PUT", "/dav/file", o.token, "content")
	s.must("MKCOL", "/dav/dir/", o.token, "")
	before := s.peak()
	check := func(all []odd) {
		t.Helper()
		for _, c := range all {
			if got := provoke(t, s, c.text); !slices.Contains(c.want, got) {
				t.Errorf("%s: answer %d, want one of %d", c.name, got, c.want)
			}
		}
		if _, got := s.must("GET", "/dav/file", o.token, ""); got != "content" {
			t.Errorf("the file is %q now", got)
		}
	}
	for _, all := range [][]odd{o.bodies(), o.headers(), o.targets(), o.noise()} {
		check(all)
	}
	one := s.peak()
	var all sync.WaitGroup
	for _, c := range o.bodies() {
		all.Go(func() { provoke(t, s, c.text) })
	}
	all.Wait()
	t.Logf("in RAM: %d MiB at first, %d MiB one by one, %d MiB all at once", before/mib, one/mib, s.peak()/mib)
	if grown := s.peak() - before; grown > 128*mib {
		t.Errorf("%d MiB more in RAM than at first, want at most 128", grown/mib)
	}
	if strings.Contains(s.log(), `"level":"error"`) || strings.Contains(s.log(), "panic") {
		t.Error("the server blames itself in its log")
	}
	s.verify()
}

// provoke sends text and returns the status of the answer, or closed.
func provoke(t *testing.T, s *server, text string) int {
	t.Helper()
	conn := s.dial().(*net.TCPConn)
	var writing sync.WaitGroup
	defer writing.Wait()
	defer conn.Close()
	writing.Go(func() {
		// An error is the server answering, and reading no more, in the middle.
		_, err := io.WriteString(conn, text)
		if err == nil && !strings.Contains(text, "\r\n\r\n") {
			_ = conn.CloseWrite() // there is nothing to be answered before the end
		}
	})
	answer, err := answered(conn)
	if err != nil {
		return closed
	}
	return answer.StatusCode
}

// TestSlowHeaders: a header that comes a byte at a time holds a connection for a
// while, but not for good, and nobody else waits for it.
func TestSlowHeaders(t *testing.T) {
	full(t)
	if long(t, 0, 10) == 0 && os.Getenv("VARVE_REQUIRE_CLIENTS") != "1" {
		t.Skip("the server waits 20 s for a header; with VARVE_LONG=0.1 so does this")
	}
	s := startServer(t)
	var slow sync.WaitGroup
	for range 100 {
		conn := s.dial()
		slow.Go(func() {
			tick := time.NewTicker(500 * time.Millisecond)
			defer tick.Stop()
			for rest := []byte("GET /healthz HTTP/1.1\r\nX: " + strings.Repeat("x", 100)); len(rest) > 0; rest = rest[1:] {
				if _, err := conn.Write(rest[:1]); err != nil {
					return
				}
				<-tick.C
			}
			t.Error("a connection still takes bytes of a header after 60 s")
		})
	}
	for range 10 {
		s.must("GET", "/healthz", "", "")
	}
	slow.Wait()
}
