package main

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// full skips what takes more than a moment under -short; with
// VARVE_REQUIRE_CLIENTS=1 nothing is skipped.
func full(t *testing.T) {
	t.Helper()
	if testing.Short() && os.Getenv("VARVE_REQUIRE_CLIENTS") != "1" {
		t.Skip("takes more than a moment")
	}
}

// long is a test's size: n times VARVE_LONG, which is 0.1 in CI; by default a
// hundredth, and never less than least.
func long(t *testing.T, least, n int) int {
	t.Helper()
	part := 0.01
	if s := os.Getenv("VARVE_LONG"); s != "" {
		var err error
		if part, err = strconv.ParseFloat(s, 64); err != nil {
			t.Fatalf("VARVE_LONG: %v", err)
		}
	}
	return max(least, int(float64(n)*part))
}

// seed is where random tests begin: VARVE_SEED, or anything, which is logged.
func seed(t *testing.T) uint64 {
	t.Helper()
	n := rand.Uint64() >> 1
	if s := os.Getenv("VARVE_SEED"); s != "" {
		var err error
		if n, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatalf("VARVE_SEED: %v", err)
		}
	}
	t.Logf("VARVE_SEED=%d", n)
	return n
}

// random is size bytes that are the same for the same number.
func random(n uint64, size int) []byte {
	var key [32]byte
	copy(key[:], strconv.FormatUint(n, 10))
	b := make([]byte, size)
	rand.NewChaCha8(key).Read(b)
	return b
}

// newRequest is a request to the server with a Bearer token and more header
// fields, "Name: value" each. Destination may be a path.
func (s *server) newRequest(method, path, token string, body io.Reader, header ...string) *http.Request {
	s.t.Helper()
	r, err := http.NewRequest(method, s.URL((&url.URL{Path: path}).EscapedPath()), body)
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		if name == "Destination" && strings.HasPrefix(value, "/") {
			value = s.URL(value)
		}
		r.Header.Set(name, value)
	}
	return r
}

// send sends one request and returns its status, with the answer's header and
// the body as text.
func (s *server) send(method, path, token, body string, header ...string) (status int, h http.Header, text string) {
	s.t.Helper()
	answer, err := s.client.Do(s.newRequest(method, path, token, strings.NewReader(body), header...))
	if err != nil {
		s.t.Fatal(err)
	}
	defer answer.Body.Close()
	all, err := io.ReadAll(answer.Body)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
	return answer.StatusCode, answer.Header, string(all)
}

// must is send for what has to succeed.
func (s *server) must(method, path, token, body string, header ...string) (http.Header, string) {
	s.t.Helper()
	status, h, text := s.send(method, path, token, body, header...)
	if status/100 != 2 {
		s.t.Fatalf("%s %s = %d %s", method, path, status, text)
	}
	return h, text
}

// dial opens a connection to the server that a test writes on as it likes. It
// is bounded: nothing here may take a minute.
func (s *server) dial() net.Conn {
	s.t.Helper()
	u, err := url.Parse(s.url)
	if err != nil {
		s.t.Fatal(err)
	}
	conn, err := net.Dial("tcp", u.Host)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		s.t.Fatal(err)
	}
	return conn
}

// answered reads the first final answer on a connection; nil when the server
// closed it without one.
func answered(r io.Reader) (*http.Response, error) {
	in := bufio.NewReader(r)
	for {
		answer, err := http.ReadResponse(in, nil)
		if err != nil {
			return nil, err
		}
		if answer.StatusCode >= 200 {
			return answer, nil
		}
	}
}

var lastChange = regexp.MustCompile(`no problems up to change (\d+)$`)

// verify reads the store through, beside the server or without it, and returns
// the seq of its last change. Any problem fails the test.
func (s *server) verify() int {
	s.t.Helper()
	line := s.varve("verify")
	m := lastChange.FindStringSubmatch(line)
	if m == nil {
		s.t.Fatalf("varve verify: %s", line)
	}
	seq, err := strconv.Atoi(m[1])
	if err != nil {
		s.t.Fatal(err)
	}
	return seq
}

// spooled is what lies in the directory of temporary files.
func (s *server) spooled() []string {
	s.t.Helper()
	entries, err := os.ReadDir(filepath.Join(s.dir, "blobs", "tmp"))
	if err != nil {
		s.t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// peak is the most memory the server ever had in RAM, in bytes.
func (s *server) peak() int64 {
	s.t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.pid()))
	if err != nil {
		missing(s.t, "no figure of memory: "+err.Error())
	}
	for line := range strings.Lines(string(status)) {
		var kib int64
		if n, _ := fmt.Sscanf(line, "VmHWM: %d kB", &kib); n == 1 {
			return kib << 10
		}
	}
	s.t.Fatalf("no VmHWM in\n%s", status)
	return 0
}
