package bench

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// testServer is a server of h, without a process.
func testServer(t *testing.T, h http.Handler) *server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return &server{
		name: "test", address: strings.TrimPrefix(s.URL, "http://"), base: "/dav/", authorization: "Bearer t",
		prepared: map[string]error{},
	}
}

func TestClientReadsAnswers(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		head       bool
		want       string // status, length, lock, closes
		rest       string // what the next answer begins with
	}{
		{"with a length", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: y\r\n\r\nhellonext", false, "200 5  false", "next"},
		{"of a HEAD", "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nnext", true, "200 5  false", "next"},
		{"without content", "HTTP/1.1 204 No Content\r\n\r\nnext", false, "204 0  false", "next"},
		{"chunked", "HTTP/1.1 207 Multi-Status\r\nTransfer-Encoding: Chunked\r\n\r\n5;x=y\r\nhello\r\nA\r\n0123456789\r\n0\r\nTrailer: 1\r\n\r\nnext", false, "207 15  false", "next"},
		{"with a lock", "HTTP/1.1 200 OK\r\nLock-Token: <urn:x>\r\nConnection: Close\r\nContent-Length:0\r\n\r\n", false, "200 0 <urn:x> true", ""},
		{"lines of Unix", "HTTP/1.1 201 Created\nContent-Length: 1\n\n1next", false, "201 1  false", "next"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := &client{in: bufio.NewReader(strings.NewReader(tt.text))}
			if err := c.read(tt.head); err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprintf("%d %d %s %v", c.status, c.length, c.lock, c.closes); got != tt.want {
				t.Errorf("read %q, want %q", got, tt.want)
			}
			if rest, err := io.ReadAll(c.in); err != nil || string(rest) != tt.rest {
				t.Errorf("left are %q, %v, want %q", rest, err, tt.rest)
			}
		})
	}
}

func TestClientRefusesWhatIsNoAnswer(t *testing.T) {
	for _, text := range []string{
		"", "HTTP/1.1", "SMTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 2x0 OK\r\n\r\n",
		"HTTP/1.1 200 OK\r\n\r\nuntil the end",
		"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello!\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
	} {
		c := &client{in: bufio.NewReader(strings.NewReader(text))}
		if err := c.read(false); err == nil {
			t.Errorf("read(%q) is no error: status %d, length %d", text, c.status, c.length)
		}
	}
}

// FuzzAnswer holds the client against net/http: what both take for an answer
// has the same length.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"))
	f.Add([]byte("HTTP/1.1 207 M\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"))
	f.Add([]byte("HTTP/1.0 204 \r\nConnection: close\r\n\r\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		c := &client{in: bufio.NewReader(bytes.NewReader(text)), keep: new(bytes.Buffer)}
		if c.read(false) != nil {
			return
		}
		// What the client kept is what it took for the answer.
		answer, err := http.ReadResponse(bufio.NewReader(c.keep), nil)
		if err != nil {
			return
		}
		defer answer.Body.Close()
		if body, err := io.ReadAll(answer.Body); err == nil && int64(len(body)) != c.length && c.status >= 200 {
			t.Errorf("read %q: length %d, net/http says %d", text, c.length, len(body))
		}
	})
}

func TestClientSends(t *testing.T) {
	var got []string
	s := testServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		got = append(got, fmt.Sprintf("%s %s %s %s %q %v", r.Method, r.URL, r.Header.Get("Authorization"), r.Header.Get("Depth"), body, err))
		w.Header().Set("Connection", "close")
		fmt.Fprint(w, "answer")
	}))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c, err := s.dial(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	r := request{method: "PROPFIND", path: "a/b", header: "Depth: 0\r\n", body: []byte("hi"), status: []int{200, 207}, length: 6}
	if err := c.do(ctx, r); err != nil {
		t.Error(err)
	}
	if err := c.send(ctx, r, 3); err != nil { // on a new connection
		t.Error(err)
	}
	want := []string{`PROPFIND /dav/a/b Bearer t 0 "hi" <nil>`, `PROPFIND /dav/a/b Bearer t 0 "hihihi" <nil>`}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("requests, -want +got\n%s", diff)
	}
	r.status = []int{201}
	if err := c.do(ctx, r); err == nil {
		t.Error("status 200 is no error where 201 is wanted")
	}
	r.status, r.length = []int{200}, 7
	if err := c.do(ctx, r); err == nil {
		t.Error("6 bytes are no error where 7 are wanted")
	}
}

func TestDrive(t *testing.T) {
	s := testServer(t, http.NotFoundHandler())
	for _, tt := range []struct {
		load load
		want int
	}{
		{load{clients: 1, count: 1}, 1},
		{load{clients: 3, count: 4}, 12},
		{load{clients: 2}, 2}, // no time at all: one each
	} {
		done, _, err := s.drive(t.Context(), tt.load, func(context.Context, *client, int, int) error { return nil })
		if err != nil || done != tt.want {
			t.Errorf("drive(%+v) = %d, %v, want %d", tt.load, done, err, tt.want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	_, _, err := s.drive(ctx, load{clients: 2, time: time.Hour}, func(ctx context.Context, c *client, _, _ int) error {
		cancel()
		return c.do(ctx, request{method: "GET", status: []int{404}})
	})
	if err == nil {
		t.Error("drive ended without an error when it was cancelled")
	}
}

// TestBareAnswersAsTaught teaches the bare handler what another server says.
func TestBareAnswersAsTaught(t *testing.T) {
	varve := testServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"e"`)
		if r.Method == "PROPFIND" {
			w.WriteHeader(http.StatusMultiStatus)
			for range 10_000 { // chunked
				fmt.Fprint(w, r.Header.Get("Depth"), "</D:response>")
			}
			return
		}
		fmt.Fprint(w, "hello")
	}))
	bare := testServer(t, &bare{})
	get := request{method: "GET", path: "a", status: []int{200}, length: 5}
	head := request{method: "HEAD", path: "a", status: []int{200}, length: 5}
	zero, one := propfind("a", "0"), propfind("a", "1")
	ctx := t.Context()
	if err := bare.one(ctx, get); err == nil {
		t.Error("GET before it was taught is no error")
	}
	if err := bare.learn(ctx, varve, []request{get, head, zero, one}); err != nil {
		t.Fatal(err)
	}
	if err := bare.one(ctx, get, head, zero, one); err != nil {
		t.Error(err)
	}
	for _, r := range []request{get, zero, one} {
		want, err := varve.text(ctx, r)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := bare.text(ctx, r); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is answered by %d bytes, %v, want %d", r.method, len(got), err, len(want))
		}
	}
	if err := bare.holds(ctx, "a", 9_999); err != nil {
		t.Error(err)
	}
	if err := bare.one(ctx, mkcol("new/"), put("new/a", []byte("hi"))); err != nil {
		t.Error(err)
	}
}
