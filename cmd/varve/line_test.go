package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"
)

// line is a connection to the server on which requests go out as they are
// written: nothing cleans a path, completes a header or follows a redirect. It
// dials again when the server has hung up.
type line struct {
	t    *testing.T
	host string
	conn net.Conn
}

// line opens one; it is closed with the test.
func (s *server) line(t *testing.T) *line {
	t.Helper()
	u, err := url.Parse(s.url)
	if err != nil {
		t.Fatal(err)
	}
	l := &line{t: t, host: u.Host}
	t.Cleanup(l.close)
	return l
}

func (l *line) close() {
	if l.conn != nil {
		l.conn.Close()
		l.conn = nil
	}
}

// raw is a request as it goes out.
type raw struct {
	method, target string
	header         []string // "Name: value"
	body           string
	wait           bool // say Expect: 100-continue and never send the body
}

// with is r with more header fields.
func (r raw) with(header ...string) raw {
	r.header = append(r.header[:len(r.header):len(r.header)], header...)
	return r
}

// String is r for messages.
func (r raw) String() string {
	return fmt.Sprintf("%s %.200s %.300q %.100q", r.method, r.target, r.header, r.body)
}

// bytes is r on the wire.
func (r raw) bytes(host string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\n", r.method, r.target, host)
	for _, h := range r.header {
		b.WriteString(h + "\r\n")
	}
	if r.body != "" {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(r.body))
	}
	if r.wait {
		b.WriteString("Expect: 100-continue\r\n\r\n")
		return b.Bytes()
	}
	b.WriteString("\r\n" + r.body)
	return b.Bytes()
}

// heard is an answer.
type heard struct {
	status  int
	header  http.Header
	body    string
	whole   string // every byte of it
	interim int    // how many 1xx came before it
}

// ask sends r and reads the answer. A connection that turns out to be closed is
// dialled anew.
func (l *line) ask(r raw) heard {
	l.t.Helper()
	for again := l.conn != nil; ; again = false {
		a, err := l.try(r)
		if err == nil {
			return a
		}
		l.close()
		if !again {
			l.t.Fatalf("%v: %v", r, err)
		}
	}
}

// try is ask on the connection there is.
func (l *line) try(r raw) (a heard, err error) {
	if l.conn == nil {
		if l.conn, err = net.Dial("tcp", l.host); err != nil {
			return a, err
		}
	}
	if err := l.conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		return a, err
	}
	if _, err := l.conn.Write(r.bytes(l.host)); err != nil {
		return a, err
	}
	var whole bytes.Buffer
	in := bufio.NewReader(io.TeeReader(l.conn, &whole))
	for {
		answer, err := http.ReadResponse(in, &http.Request{Method: r.method})
		if err != nil {
			return a, err
		}
		if answer.StatusCode < 200 {
			a.interim++
			if r.wait { // the final answer waits for a body that never comes
				l.close()
				a.whole = whole.String()
				return a, nil
			}
			continue
		}
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			return a, err
		}
		if answer.Close {
			l.close()
		}
		a.status, a.header, a.body, a.whole = answer.StatusCode, answer.Header, string(body), whole.String()
		return a, nil
	}
}

var mayDiffer = regexp.MustCompile(`(?m)^(Date|X-Request-Id): .*\r\n`)

// plain is the whole answer but for its Date and request id.
func (a heard) plain() string {
	text := mayDiffer.ReplaceAllString(a.whole, "")
	if id := a.header.Get("X-Request-Id"); id != "" {
		text = strings.ReplaceAll(text, id, "REQUEST-ID")
	}
	return text
}
