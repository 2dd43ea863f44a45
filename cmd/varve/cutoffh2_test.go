package main

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// stream is an HTTP/2 upload that must not change anything.
type stream struct {
	name    string
	headers []string // "name: value" each
	body    string
	then    func(*h2conn) error // instead of ending the stream well
	status  int                 // 0: no answer, or the stream is reset
}

// short fits into the window that every connection begins with.
var short = whole[:60_000]

func cutStreams() []stream {
	var all []stream
	for name, then := range map[string]func(*h2conn) error{
		"reset":      func(c *h2conn) error { return c.WriteRSTStream(1, http2.ErrCodeCancel) },
		"going away": func(c *h2conn) error { return errors.Join(c.WriteGoAway(0, http2.ErrCodeNo, nil), c.conn.Close()) },
		"closed":     func(c *h2conn) error { return c.conn.Close() },
	} {
		for _, n := range []int{0, 1, 1_000, len(short)} {
			all = append(all,
				stream{name: fmt.Sprintf("%s after %d bytes of any length", name, n), body: short[:n], then: then},
				stream{name: fmt.Sprintf("%s after %d bytes of 100000", name, n), headers: []string{"content-length: 100000"}, body: short[:n], then: then},
			)
		}
	}
	// net/http goes on for a second after it has found fault with the connection.
	breaks := func(c *h2conn) error { return c.WriteRawFrame(http2.FrameData, 0, 0, []byte("on no stream")) }
	return append(all,
		stream{name: "broken frame", headers: []string{"content-length: 100000"}, body: short, then: breaks},
		stream{name: "shorter than its length", headers: []string{"content-length: 60001"}, body: short},
		stream{name: "nothing of its length", headers: []string{"content-length: 60001"}},
		stream{name: "longer than its length", headers: []string{"content-length: 59999"}, body: short},
		stream{name: "wrong checksum", headers: []string{"oc-checksum: MD5:00000000000000000000000000000000"}, body: short, status: 400},
		stream{name: "wrong digest", headers: []string{"repr-digest: sha-256=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:"}, body: short, status: 400},
		stream{name: "expected longer", headers: []string{"x-expected-entity-length: 60001"}, body: short, status: 400},
		stream{name: "expected shorter", headers: []string{"x-expected-entity-length: 59999"}, body: short, status: 400},
		stream{name: "range", headers: []string{"content-range: bytes 0-59999/100000"}, body: short, status: 400},
	)
}

// TestCutOffHTTP2 is TestCutOff for the streams of HTTP/2.
func TestCutOffHTTP2(t *testing.T) {
	full(t)
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	writeCertificate(t, cert, key, "varve")
	s := startServer(t, "--tls-cert", cert, "--tls-key", key)
	transport := &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	defer transport.CloseIdleConnections()
	s.client = &http.Client{Transport: transport}
	c := newCutter(t, s, "/dav/", "/api/shared/files/")
	for _, u := range cutStreams() {
		c.each(u.name, func(path, agent string) {
			conn := openH2(t, s.dial())
			if err := conn.put(path, agent, c.token, u); err != nil {
				// The server may end a stream before it was all sent.
				t.Logf("%s: %v", u.name, err)
			}
			if u.then != nil {
				return
			}
			status, err := conn.answer()
			if err != nil || status != u.status && (u.status != 0 || status != http.StatusBadRequest) {
				t.Errorf("%s: answer = %d, %v; want %d", u.name, status, err, u.status)
			}
			conn.conn.Close()
		})
	}
	c.finish()
}

// h2conn is a client's side of HTTP/2 that sends any frames.
type h2conn struct {
	*http2.Framer
	conn net.Conn
}

func openH2(t *testing.T, plain net.Conn) *h2conn {
	t.Helper()
	conn := tls.Client(plain, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
	if err := conn.Handshake(); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write([]byte(http2.ClientPreface)); err != nil {
		t.Fatal(err)
	}
	c := &h2conn{http2.NewFramer(conn, conn), conn}
	c.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	if err := c.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	return c
}

// put sends u on the first stream.
func (c *h2conn) put(path, agent, token string, u stream) error {
	var block bytes.Buffer
	enc := hpack.NewEncoder(&block)
	fields := append([]string{":method: PUT", ":scheme: https", ":authority: x", ":path: " + path,
		"user-agent: " + agent, "authorization: Bearer " + token}, u.headers...)
	if u.then != nil {
		fields = append(fields, "expect: 100-continue")
	}
	for _, line := range fields {
		i := 1 + bytes.IndexByte([]byte(line[1:]), ':')
		if err := enc.WriteField(hpack.HeaderField{Name: line[:i], Value: line[i+2:]}); err != nil {
			return err
		}
	}
	if err := c.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes(), EndHeaders: true}); err != nil {
		return err
	}
	if u.then != nil { // to be sure that the server reads when the end comes
		if status, err := c.answer(); status != http.StatusContinue {
			return fmt.Errorf("%d %w, want 100 first", status, err)
		}
	}
	for rest := u.body; rest != ""; {
		n := min(len(rest), 16<<10)
		if err := c.WriteData(1, false, []byte(rest[:n])); err != nil {
			return err
		}
		rest = rest[n:]
	}
	if u.then != nil {
		return u.then(c)
	}
	return c.WriteData(1, true, nil)
}

// answer is the next status of the stream, or 0 when it is reset.
func (c *h2conn) answer() (int, error) {
	for {
		frame, err := c.ReadFrame()
		if err != nil {
			return 0, err
		}
		switch f := frame.(type) {
		case *http2.MetaHeadersFrame:
			return strconv.Atoi(f.PseudoValue("status"))
		case *http2.RSTStreamFrame:
			return 0, nil
		case *http2.GoAwayFrame:
			return 0, fmt.Errorf("connection ended: %v", f.ErrCode)
		}
	}
}
