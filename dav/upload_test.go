package dav_test

import (
	"bufio"
	"context"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"varve/dav"
)

const old = "the old content, which is whole"

// withOld is a server with one file.
func withOld(t *testing.T) (h hand, etag string) {
	t.Helper()
	h = newServer(t).user("ann")
	return h, h.do("PUT", "/dav/f.txt", old).want(201).header.Get("ETag")
}

// unchanged checks that nothing came of what spoil did to the file.
func unchanged(t *testing.T, h hand, etag string, spoil func()) {
	t.Helper()
	seq := h.seq()
	spoil()
	h.do("GET", "/dav/f.txt", "").want(200).has(old).headed("ETag", etag)
	if got := h.seq(); got != seq {
		t.Errorf("the log went on from %d to %d", seq, got)
	}
}

// TestSpoiledUploadChangesNothing has every way in which a body can turn out to
// be not what was announced.
func TestSpoiledUploadChangesNothing(t *testing.T) {
	big := strings.Repeat("x", 200_000) // beyond what stays in memory
	wrong := base64.StdEncoding.EncodeToString(make([]byte, 32))
	h, etag := withOld(t)
	for name, test := range map[string]struct {
		header []string
		body   string
		status int
	}{
		"OC-Checksum SHA1":     {[]string{"OC-Checksum", "SHA1:" + strings.Repeat("00", 20)}, big, 400},
		"OC-Checksum MD5":      {[]string{"OC-Checksum", "MD5:" + strings.Repeat("00", 16)}, "x", 400},
		"OC-Checksum ADLER32":  {[]string{"OC-Checksum", "ADLER32:00000000"}, "x", 400},
		"OC-Checksum short":    {[]string{"OC-Checksum", "SHA1:00"}, "x", 400},
		"OC-Checksum no hex":   {[]string{"OC-Checksum", "SHA1:xyz"}, "x", 400},
		"Content-MD5":          {[]string{"Content-MD5", base64.StdEncoding.EncodeToString(make([]byte, 16))}, "x", 400},
		"Content-MD5 no sum":   {[]string{"Content-MD5", "!"}, "x", 400},
		"Content-Digest":       {[]string{"Content-Digest", "sha-256=:" + wrong + ":"}, big, 400},
		"Repr-Digest":          {[]string{"Repr-Digest", "md5=:AAAA:, sha-256=:" + wrong + ":"}, "x", 400},
		"Repr-Digest no bytes": {[]string{"Repr-Digest", "sha-256=abc"}, "x", 400},
		"Content-Range":        {[]string{"Content-Range", "bytes 0-0/31"}, "x", 400},
		"expected length":      {[]string{"X-Expected-Entity-Length", "2"}, "x", 400},
		"expected no length":   {[]string{"X-Expected-Entity-Length", "-1"}, "x", 400},
		"If-Match":             {[]string{"If-Match", `"other"`}, big, 412},
		"If-None-Match":        {[]string{"If-None-Match", "*"}, big, 412},
		"If-Unmodified-Since":  {[]string{"If-Unmodified-Since", "Mon, 01 Jan 2001 00:00:00 GMT"}, big, 412},
		"If":                   {[]string{"If", `(["other"])`}, big, 412},
		"If that is no If":     {[]string{"If", `("`}, big, 400},
	} {
		t.Run(name, func(t *testing.T) {
			h.t = t
			unchanged(t, h, etag, func() { h.do("PUT", "/dav/f.txt", test.body, test.header...).want(test.status) })
		})
	}
}

// TestBrokenOffUploadChangesNothing cuts the connection, or the stream, in the
// middle of a body.
func TestBrokenOffUploadChangesNothing(t *testing.T) {
	auth := "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("ann:-")) + "\r\n"
	part := strings.Repeat("y", 100_000)
	h, etag := withOld(t)
	for name, request := range map[string]string{
		"HTTP/1.1 with length":      "PUT /dav/f.txt HTTP/1.1\r\nHost: h\r\n" + auth + "Content-Length: 1000000\r\n\r\n" + part,
		"HTTP/1.1 small":            "PUT /dav/f.txt HTTP/1.1\r\nHost: h\r\n" + auth + "Content-Length: 10\r\n\r\nshort",
		"HTTP/1.1 nothing of it":    "PUT /dav/f.txt HTTP/1.1\r\nHost: h\r\n" + auth + "Content-Length: 10\r\n\r\n",
		"HTTP/1.1 chunked":          "PUT /dav/f.txt HTTP/1.1\r\nHost: h\r\n" + auth + "Transfer-Encoding: chunked\r\n\r\n186a0\r\n" + part + "\r\n",
		"HTTP/1.1 inside a chunk":   "PUT /dav/f.txt HTTP/1.1\r\nHost: h\r\n" + auth + "Transfer-Encoding: chunked\r\n\r\n10\r\nshort",
		"HTTP/1.1 no last chunk":    "PUT /dav/f.txt HTTP/1.1\r\nHost: h\r\n" + auth + "Transfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n",
		"HTTP/1.1 no chunk at all":  "PUT /dav/f.txt HTTP/1.1\r\nHost: h\r\n" + auth + "Transfer-Encoding: chunked\r\n\r\nzz\r\n",
		"HTTP/1.1 expecting":        "PUT /dav/f.txt HTTP/1.1\r\nHost: h\r\n" + auth + "Content-Length: 10\r\nExpect: 100-continue\r\n\r\nshort",
		"HTTP/1.0 with length":      "PUT /dav/f.txt HTTP/1.0\r\n" + auth + "Content-Length: 1000000\r\n\r\n" + part,
		"HTTP/1.0 without a length": "PUT /dav/f.txt HTTP/1.0\r\n" + auth + "\r\n" + part,
	} {
		t.Run(name, func(t *testing.T) {
			h.t = t
			unchanged(t, h, etag, func() {
				conn, err := net.Dial("tcp", strings.TrimPrefix(h.url, "http://"))
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				// The server may have answered and closed before all is sent.
				_, _ = io.WriteString(conn, request)
				_ = conn.(*net.TCPConn).CloseWrite()
				in := bufio.NewReader(conn)
				resp, err := http.ReadResponse(in, nil)
				if err == nil && resp.StatusCode == http.StatusContinue {
					resp, err = http.ReadResponse(in, nil)
				}
				want := http.StatusBadRequest
				if strings.Contains(name, "without") {
					want = http.StatusLengthRequired
				}
				if err != nil || resp.StatusCode != want {
					t.Errorf("answer is %v, %v, want %d", resp, err, want)
				}
			})
		})
	}
}

// TestBrokenOffUploadOverHTTP2 resets the stream in the middle of a body, and
// sends less than was announced.
func TestBrokenOffUploadOverHTTP2(t *testing.T) {
	h, err := dav.New(dav.Config{Store: newServer(t).store})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewUnstartedServer(basic(h))
	srv.EnableHTTP2 = true
	srv.StartTLS()
	defer srv.Close()

	send := func(ctx context.Context, body io.Reader, length int64) (int, error) {
		r, err := http.NewRequestWithContext(ctx, "PUT", srv.URL+"/dav/f.txt", body)
		if err != nil {
			t.Fatal(err)
		}
		r.ContentLength = length
		r.SetBasicAuth("ann", "-")
		resp, err := srv.Client().Do(r)
		if err != nil {
			return 0, err
		}
		defer resp.Body.Close()
		if resp.ProtoMajor != 2 {
			t.Fatalf("this was %s", resp.Proto)
		}
		return resp.StatusCode, nil
	}
	if status, err := send(t.Context(), strings.NewReader(old), int64(len(old))); err != nil || status != 201 {
		t.Fatalf("PUT = %d, %v", status, err)
	}
	failing := io.MultiReader(strings.NewReader(strings.Repeat("y", 100_000)), errReader{})
	for _, length := range []int64{-1, 1_000_000} {
		if status, err := send(t.Context(), failing, length); err == nil && status < 400 {
			t.Errorf("a body that fails, length %d: status %d", length, status)
		}
	}
	if status, err := send(t.Context(), struct{ io.Reader }{strings.NewReader("short")}, 10); err == nil && status < 400 {
		t.Errorf("a short body: status %d", status)
	}
	resp, err := srv.Client().Do(mustGet(t, srv.URL+"/dav/f.txt"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if b, err := io.ReadAll(resp.Body); string(b) != old {
		t.Errorf("GET after broken uploads = %q, %v", b, err)
	}
}

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, errors.New("the client gives up") }

func mustGet(t *testing.T, url string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.SetBasicAuth("ann", "-")
	return r
}

// TestUploadWithDigests has digests that hold, and those nobody knows.
func TestUploadWithDigests(t *testing.T) {
	h := newServer(t).user("ann")
	const text = "some text"
	sum1, sum5, sum256 := sha1.Sum([]byte(text)), md5.Sum([]byte(text)), sha256.Sum256([]byte(text))
	repr := "sha-256=:" + base64.StdEncoding.EncodeToString(sum256[:]) + ":"
	for i, header := range [][]string{
		{"OC-Checksum", "SHA1:" + hex.EncodeToString(sum1[:])},
		{"OC-Checksum", "sha1:" + strings.ToUpper(hex.EncodeToString(sum1[:])) + " MD5:" + hex.EncodeToString(sum5[:])},
		{"OC-Checksum", "SHA3-256:nobody knows"},
		{"Content-MD5", base64.StdEncoding.EncodeToString(sum5[:])},
		{"Content-Digest", repr},
		{"Repr-Digest", "unixsum=:AA==:, " + repr},
		{"X-Expected-Entity-Length", fmt.Sprint(len(text))},
	} {
		h.do("PUT", fmt.Sprintf("/dav/%d.txt", i), text, header...).want(201).headed("Repr-Digest", repr)
	}
	got := h.do("GET", "/dav/0.txt", "", "Want-Content-Digest", "sha-256=1").want(200)
	got.headed("Repr-Digest", repr).headed("Content-Digest", repr)
	got.headed("OC-Checksum", "SHA1:"+hex.EncodeToString(sum1[:]))
	h.do("GET", "/dav/0.txt", "", "Range", "bytes=1-2", "Want-Content-Digest", "sha-256=1").want(206).
		headed("Content-Digest", "").headed("Repr-Digest", repr)
	h.do("HEAD", "/dav/0.txt", "", "Want-Repr-Digest", "sha=9, sha-256=0").want(200).
		headed("Repr-Digest", "sha=:"+base64.StdEncoding.EncodeToString(sum1[:])+":")
}

// TestEarlyAnswerToExpectation: a client that waits for leave to send its body
// hears the refusal instead.
func TestEarlyAnswerToExpectation(t *testing.T) {
	h := newServer(t).user("ann")
	h.do("PUT", "/dav/f.txt", old).want(201)
	conn, err := net.Dial("tcp", strings.TrimPrefix(h.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	auth := base64.StdEncoding.EncodeToString([]byte("ann:-"))
	fmt.Fprintf(conn, "PUT /dav/f.txt HTTP/1.1\r\nHost: h\r\nAuthorization: Basic %s\r\nIf-None-Match: *\r\n"+
		"Content-Length: 1000000000\r\nExpect: 100-continue\r\n\r\n", auth)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || resp.StatusCode != http.StatusPreconditionFailed {
		t.Errorf("answer is %v, %v, want 412", resp, err)
	}
}

// TestRcloneDeleteAfterRefusedUpload: the file that stayed is not deleted by the
// one whose upload was refused, for a while.
func TestRcloneDeleteAfterRefusedUpload(t *testing.T) {
	s := newServer(t)
	h := s.user("ann")
	agent := []string{"User-Agent", "rclone/v1.76.0"}
	fail := func() {
		t.Helper()
		h.do("PUT", "/dav/f.txt", "x", append(agent, "OC-Checksum", "MD5:"+strings.Repeat("00", 16))...).want(400)
	}
	h.do("PUT", "/dav/f.txt", old).want(201)
	fail()
	h.do("DELETE", "/dav/f.txt", "", agent...).want(409)
	h.do("DELETE", "/dav//./f.txt", "", agent...).want(409)
	s.user("bob").do("DELETE", "/dav/f.txt", "", agent...).want(204)

	h.do("PUT", "/dav/f.txt", old).want(201)
	fail()
	h.do("DELETE", "/dav/f.txt", "").want(204) // somebody who means it

	h.do("PUT", "/dav/f.txt", old).want(201)
	fail()
	h.do("PUT", "/dav/f.txt", "newer").want(204)
	h.do("DELETE", "/dav/f.txt", "", agent...).want(204)

	h.do("PUT", "/dav/f.txt", old).want(201)
	fail()
	s.later.Store(int64(11e9))
	h.do("DELETE", "/dav/f.txt", "", agent...).want(204)
}
