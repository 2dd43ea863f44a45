package main

import (
	"bytes"
	"crypto/md5"
	"crypto/sha1"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// upload is a request that must not change anything: what of it is sent, and the
// answer if the client waits for one.
type upload struct {
	name    string
	proto   string   // "HTTP/1.1" if empty
	headers []string // beside Host, User-Agent and Authorization
	body    string
	cut     bool // the end of the body never comes
	status  int
}

// whole is a body that would be right.
var whole = string(random(3, 100_000))

func length(n int) []string { return []string{fmt.Sprintf("Content-Length: %d", n)} }

func chunked(parts ...string) string {
	var b strings.Builder
	for _, p := range parts {
		fmt.Fprintf(&b, "%x\r\n%s\r\n", len(p), p)
	}
	return b.String()
}

// cutOff are uploads that break off, at every stage.
func cutOff() []upload {
	chunks := []string{"Transfer-Encoding: chunked"}
	var all []upload
	for _, n := range []int{0, 1, 2_000, 64 << 10, len(whole) - 1} {
		all = append(all,
			upload{name: fmt.Sprintf("length, after %d bytes", n), headers: length(len(whole)), body: whole[:n]},
			upload{name: fmt.Sprintf("HTTP/1.0, after %d bytes", n), proto: "HTTP/1.0", headers: length(len(whole)), body: whole[:n]},
			upload{name: fmt.Sprintf("chunked, in a chunk after %d bytes", n), headers: chunks, body: fmt.Sprintf("%x\r\n", len(whole)) + whole[:n]},
			upload{name: fmt.Sprintf("chunked, between chunks after %d bytes", n), headers: chunks, body: chunked(whole[:n+1])},
		)
	}
	small := strings.TrimSuffix(chunked(whole[:100]), "\r\n")
	for _, body := range []string{"", "6", "64\r", "64\r\n", small, small + "\r", chunked(whole[:100]) + "0", chunked(whole[:100]) + "0\r\n",
		chunked(whole[:100]) + "0\r\nTrailer: x\r\n"} {
		all = append(all, upload{name: fmt.Sprintf("chunked, after %d bytes on the wire", len(body)), headers: chunks, body: body})
	}
	all = append(all,
		upload{name: "small with length", headers: length(10), body: "123456789"},
		upload{name: "X-Expected-Entity-Length and chunks", headers: append(chunks, "X-Expected-Entity-Length: 100000"), body: chunked(whole[:64<<10])},
	)
	for i := range all {
		all[i].cut, all[i].status = true, http.StatusBadRequest
	}
	return all
}

// doubtful are uploads that are whole, but not what they say.
func doubtful() []upload {
	sum1, sum5 := sha1.Sum([]byte(whole)), md5.Sum([]byte(whole))
	b64 := base64.StdEncoding.EncodeToString
	sha256 := func(s string) string {
		b, err := hex.DecodeString(digest([]byte(s)))
		if err != nil {
			panic(err)
		}
		return b64(b)
	}
	with := func(name, header string, status int) upload {
		return upload{name: name, headers: append(length(len(whole)), header), body: whole, status: status}
	}
	const bad = http.StatusBadRequest
	return []upload{
		{name: "HTTP/1.0 without length", proto: "HTTP/1.0", body: whole, status: http.StatusLengthRequired},
		with("OC-Checksum of something else", "OC-Checksum: SHA1:"+strings.Repeat("0", 40), bad),
		with("OC-Checksum MD5 of something else", "OC-Checksum: MD5:"+strings.Repeat("0", 32), bad),
		with("OC-Checksum too short", "OC-Checksum: SHA1:"+hex.EncodeToString(sum1[:19]), bad),
		with("second OC-Checksum wrong", "OC-Checksum: SHA1:"+hex.EncodeToString(sum1[:])+" MD5:"+strings.Repeat("0", 32), bad),
		with("OC-Checksum that is none", "OC-Checksum: SHA1:hello", bad),
		with("Content-MD5 of something else", "Content-MD5: "+b64(make([]byte, 16)), bad),
		with("Content-MD5 too short", "Content-MD5: "+b64(sum5[:15]), bad),
		with("Content-Digest of something else", "Content-Digest: sha-256=:"+sha256("else")+":", bad),
		with("Content-Digest too short", "Content-Digest: sha-256=:"+b64(sum1[:])+":", bad),
		with("Content-Digest that is none", "Content-Digest: sha-256=hello", bad),
		with("Repr-Digest of something else", "Repr-Digest: sha-256=:"+sha256("else")+":", bad),
		with("second Repr-Digest wrong", "Repr-Digest: sha-256=:"+sha256(whole)+":, sha-512=:"+b64(make([]byte, 64))+":", bad),
		with("X-Expected-Entity-Length larger", "X-Expected-Entity-Length: 100001", bad),
		with("X-Expected-Entity-Length smaller", "X-Expected-Entity-Length: 99999", bad),
		with("Content-Range", "Content-Range: bytes 0-99999/200000", bad),
		with("Content-Range of all", "Content-Range: bytes */100000", bad),
		{name: "chunked, X-Expected-Entity-Length larger", headers: []string{"Transfer-Encoding: chunked", "X-Expected-Entity-Length: 100001"},
			body: chunked(whole) + "0\r\n\r\n", status: bad},
		{name: "chunked, X-Expected-Entity-Length smaller", headers: []string{"Transfer-Encoding: chunked", "X-Expected-Entity-Length: 99999"},
			body: chunked(whole) + "0\r\n\r\n", status: bad},
		{name: "chunk longer than its size", headers: []string{"Transfer-Encoding: chunked"}, body: "3\r\nabcd\r\n0\r\n\r\n", status: bad},
		{name: "chunk size that is none", headers: []string{"Transfer-Encoding: chunked"}, body: "xyz\r\nabcd\r\n0\r\n\r\n", status: bad},
	}
}

// TestCutOff sends uploads that are not whole, over a file and where nothing is.
// None changes anything or leaves anything.
func TestCutOff(t *testing.T) {
	full(t)
	s := startServer(t)
	c := newCutter(t, s, "/dav/", "/api/shared/files/")
	for _, u := range cutOff() {
		// What a client can do to a connection: wait for an answer, go, or crash.
		c.each(u.name+", waiting", func(path, agent string) {
			conn := c.begin(u, path, agent)
			if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			c.expect(conn, u.status)
		})
		c.each(u.name+", closed", func(path, agent string) { c.begin(u, path, agent).Close() })
		c.each(u.name+", reset", func(path, agent string) {
			conn := c.begin(u, path, agent)
			if err := conn.(*net.TCPConn).SetLinger(0); err != nil {
				t.Fatal(err)
			}
			conn.Close()
		})
	}
	for _, u := range doubtful() {
		c.each(u.name, func(path, agent string) { c.expect(c.begin(u, path, agent), u.status) })
	}
	c.finish()
}

// cutter sends uploads to a server and looks for what they leave.
type cutter struct {
	t     *testing.T
	s     *server
	token string
	roots []string
	etag  map[string]string // of old.bin, by root
	sent  int
	seq   int
}

const oldContent = "what was there before"

func newCutter(t *testing.T, s *server, roots ...string) *cutter {
	c := &cutter{t: t, s: s, token: s.token("ann"), roots: roots, etag: map[string]string{}}
	for _, root := range roots {
		c.etag[root] = c.put(root+"old.bin", oldContent)
	}
	c.seq = s.verify()
	return c
}

// each has try send the upload to every path, then looks at what it did.
func (c *cutter) each(name string, try func(path, agent string)) {
	c.t.Helper()
	for _, root := range c.roots {
		for _, file := range []string{"old.bin", "new.bin"} {
			c.sent++
			agent := fmt.Sprintf("upload-%d", c.sent)
			try(root+file, agent)
			c.served(name, agent)
		}
		status, h, text := c.s.send("GET", root+"old.bin", c.token, "")
		got, want := []any{status, h.Get("ETag"), text}, []any{http.StatusOK, c.etag[root], oldContent}
		if diff := cmp.Diff(want, got); diff != "" {
			c.t.Errorf("%s: %sold.bin afterwards (-want +got):\n%s", name, root, diff)
		}
		if status, _, _ := c.s.send("GET", root+"new.bin", c.token, ""); status != http.StatusNotFound {
			c.t.Errorf("%s: %snew.bin afterwards = %d, want 404", name, root, status)
		}
	}
	if left := c.s.spooled(); left != nil {
		c.t.Errorf("%s: temporary files %q are left", name, left)
	}
	if c.t.Failed() {
		c.t.FailNow()
	}
}

// served waits until the server is through with a request: it logs the agent then.
func (c *cutter) served(name, agent string) {
	c.t.Helper()
	for began := time.Now(); !strings.Contains(c.s.log(), `"`+agent+`"`); {
		if time.Since(began) > 20*time.Second {
			c.t.Fatalf("%s: %s is not in the log", name, agent)
		}
		<-time.After(time.Millisecond)
	}
}

// begin sends what there is of an upload.
func (c *cutter) begin(u upload, path, agent string) net.Conn {
	c.t.Helper()
	proto := u.proto
	if proto == "" {
		proto = "HTTP/1.1"
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "PUT %s %s\r\nHost: x\r\nUser-Agent: %s\r\nAuthorization: Bearer %s\r\n", path, proto, agent, c.token)
	for _, line := range u.headers {
		b.WriteString(line + "\r\n")
	}
	b.WriteString("\r\n" + u.body)
	conn := c.s.dial()
	// The server may refuse, and close, before it has read everything.
	if _, err := conn.Write(b.Bytes()); err != nil && u.cut {
		c.t.Fatalf("%s: %v", u.name, err)
	}
	return conn
}

// expect reads the answer and closes the connection.
func (c *cutter) expect(conn net.Conn, status int) {
	c.t.Helper()
	defer conn.Close()
	answer, err := answered(conn)
	if err != nil {
		c.t.Errorf("no answer: %v, want %d", err, status)
		return
	}
	// The API says 422 of a header that cannot be read.
	if got := answer.StatusCode; got != status && (got != http.StatusUnprocessableEntity || status != http.StatusBadRequest) {
		c.t.Errorf("answer = %s, want %d", answer.Status, status)
	}
}

// finish looks whether anything was recorded at all.
func (c *cutter) finish() {
	c.t.Helper()
	if seq := c.s.verify(); seq != c.seq {
		c.t.Errorf("the last change is %d, want %d", seq, c.seq)
	}
	for _, root := range c.roots {
		c.put(root+"new.bin", whole) // and that does
	}
	if seq := c.s.verify(); seq != c.seq+len(c.roots) {
		c.t.Errorf("the last change after two uploads is %d, want %d", seq, c.seq+len(c.roots))
	}
	c.t.Logf("%d uploads", c.sent)
}

func (c *cutter) put(path, content string) (etag string) {
	c.t.Helper()
	c.s.must("PUT", path, c.token, content)
	h, _ := c.s.must("GET", path, c.token, "")
	return h.Get("ETag")
}

// TestCutOffForm: a form of several files that breaks off stores none of them.
func TestCutOffForm(t *testing.T) {
	full(t)
	s := startServer(t)
	c := newCutter(t, s, "/api/uploads/")
	part := func(file, content string) string {
		return "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"" + file + "\"\r\n\r\n" + content + "\r\n"
	}
	form := part("new.bin", whole) + part("old.bin", whole) + "--b--\r\n"
	for _, n := range []int{0, 3, 50, 60_000, len(part("new.bin", whole)), len(part("new.bin", whole)) + 50, 150_000, len(form) - len("--b--\r\n"), len(form) - len("--\r\n")} {
		for _, declared := range []int{len(form), n} { // the connection breaks off, or only the form does
			c.sent++
			agent := fmt.Sprintf("upload-%d", c.sent)
			conn := s.dial().(*net.TCPConn)
			fmt.Fprintf(conn, "POST /api/uploads?overwrite=1 HTTP/1.1\r\nHost: x\r\nUser-Agent: %s\r\nAuthorization: Bearer %s\r\n"+
				"Content-Type: multipart/form-data; boundary=b\r\nContent-Length: %d\r\n\r\n%s", agent, c.token, declared, form[:n])
			if declared > n {
				if err := conn.CloseWrite(); err != nil {
					t.Fatal(err)
				}
			}
			c.expect(conn, http.StatusBadRequest)
			c.served("form", agent)
		}
		c.each(fmt.Sprintf("form after %d bytes", n), func(_, agent string) { s.must("GET", "/healthz", c.token, "", "User-Agent: "+agent) })
	}
	c.finish()
}
