package bench

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"
)

// client is one connection to a server, and just enough of HTTP/1.1 to drive it:
// what a client spends on a request the server cannot spend, and net/http's
// would spend more than some servers do. It is not for concurrent use.
type client struct {
	server *server
	conn   net.Conn
	in     *bufio.Reader
	out    []byte // the request being made, reused
	drop   func() bool
	common []byte // header fields of every request
	answer
	keep *bytes.Buffer // if set, gets every answer as it came, chunks and all
}

// answer is what a client knows of the last one.
type answer struct {
	status  int
	length  int64  // of the body
	lock    []byte // Lock-Token
	chunked bool
	closes  bool // the connection
}

// request is one that may be sent many times, with paths below a server's base.
type request struct {
	method string
	path   string
	header string // more lines, each ended
	body   []byte
	status []int // of which the answer must have one
	length int64 // that the answer must have; 0: any
}

// dial connects. The connection dies with ctx.
func (s *server) dial(ctx context.Context) (*client, error) {
	c := &client{server: s}
	c.common = fmt.Appendf(nil, " HTTP/1.1\r\nHost: %s\r\nAuthorization: %s\r\nContent-Length: ", s.address, s.authorization)
	return c, c.connect(ctx)
}

func (c *client) connect(ctx context.Context) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", c.server.address)
	if err != nil {
		return err
	}
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return errors.Join(err, conn.Close())
		}
	}
	c.conn, c.closes = conn, false
	// Large answers are read and dropped in large pieces.
	c.in = bufio.NewReaderSize(conn, 256<<10)
	c.drop = context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	return nil
}

// Close ends the connection.
func (c *client) Close() error {
	c.drop()
	return c.conn.Close()
}

// do sends a request, reads its answer and checks it.
func (c *client) do(ctx context.Context, r request) error {
	return c.send(ctx, r, 1)
}

// send is do with the body sent so many times over.
func (c *client) send(ctx context.Context, r request, times int) error {
	if c.closes {
		if err := errors.Join(c.Close(), c.connect(ctx)); err != nil {
			return err
		}
	}
	c.out = append(append(append(c.out[:0], r.method...), ' '), c.server.base...)
	c.out = append(append(c.out, r.path...), c.common...)
	c.out = strconv.AppendInt(c.out, int64(len(r.body)*times), 10)
	c.out = append(append(append(c.out, "\r\n"...), r.header...), "\r\n"...)
	if times == 1 {
		c.out = append(c.out, r.body...)
	}
	if _, err := c.conn.Write(c.out); err != nil {
		return r.failed(err)
	}
	for n := 0; times > 1 && n < times; n++ {
		if _, err := c.conn.Write(r.body); err != nil {
			return r.failed(err)
		}
	}
	if err := c.read(r.method == "HEAD"); err != nil {
		return r.failed(err)
	}
	if !slices.Contains(r.status, c.status) {
		return r.failed(fmt.Errorf("status %d, want %v", c.status, r.status))
	}
	if r.length != 0 && c.length != r.length {
		return r.failed(fmt.Errorf("%d bytes, want %d", c.length, r.length))
	}
	return nil
}

func (r request) failed(err error) error { return fmt.Errorf("%s %s: %w", r.method, r.path, err) }

// read reads an answer. Of a HEAD the length is the one announced.
func (c *client) read(head bool) error {
	line, err := c.line()
	if err != nil {
		return err
	}
	if len(line) < 12 || !bytes.HasPrefix(line, []byte("HTTP/1.")) {
		return fmt.Errorf("not an answer: %q", line)
	}
	c.answer = answer{length: -1, lock: c.lock[:0]}
	if c.status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return err
	}
	for {
		line, err := c.line()
		if err != nil {
			return err
		}
		if len(line) == 0 {
			return c.body(head)
		}
		if err := c.field(line); err != nil {
			return err
		}
	}
}

// field takes what is of interest from a header line.
func (a *answer) field(line []byte) (err error) {
	switch line[0] | 0x20 { // most are of none
	case 'c':
		if value, ok := valueOf(line, "content-length:"); ok {
			a.length, err = strconv.ParseInt(string(value), 10, 64)
		} else if value, ok := valueOf(line, "connection:"); ok {
			a.closes = bytes.EqualFold(value, []byte("close"))
		}
	case 't':
		if value, ok := valueOf(line, "transfer-encoding:"); ok {
			a.chunked = bytes.EqualFold(value, []byte("chunked"))
		}
	case 'l':
		if value, ok := valueOf(line, "lock-token:"); ok {
			a.lock = append(a.lock, value...)
		}
	}
	return err
}

// valueOf is the value of a header line, if it is of that name (with the colon).
func valueOf(line []byte, name string) ([]byte, bool) {
	if len(line) < len(name) || !strings.EqualFold(string(line[:len(name)]), name) {
		return nil, false
	}
	return bytes.TrimSpace(line[len(name):]), true
}

// body reads past the body of an answer and sets its length.
func (c *client) body(head bool) error {
	switch {
	case head || c.status == 204 || c.status == 304:
		c.length = max(c.length, 0)
		return nil
	case c.chunked:
		return c.chunks()
	case c.length >= 0:
		return c.skip(c.length)
	}
	return errors.New("an answer without a length")
}

// chunks reads past a chunked body (RFC 9112, section 7.1).
func (c *client) chunks() error {
	c.length = 0
	for {
		line, err := c.line()
		if err != nil {
			return err
		}
		size, _, _ := bytes.Cut(line, []byte(";"))
		n, err := strconv.ParseUint(string(bytes.TrimSpace(size)), 16, 48)
		if err != nil {
			return err
		}
		if n == 0 {
			break
		}
		if err := c.skip(int64(n)); err != nil {
			return err
		}
		c.length += int64(n)
		if line, err = c.line(); err != nil {
			return err
		}
		if len(line) != 0 {
			return fmt.Errorf("%q after a chunk", line)
		}
	}
	for { // trailers
		if line, err := c.line(); err != nil || len(line) == 0 {
			return err
		}
	}
}

// line is the next line without its end, until the next read.
func (c *client) line() ([]byte, error) {
	line, err := c.in.ReadSlice('\n')
	if err != nil {
		return nil, err
	}
	if c.keep != nil {
		c.keep.Write(line)
	}
	return bytes.TrimRight(line, "\r\n"), nil
}

// skip reads past n bytes.
func (c *client) skip(n int64) error {
	if c.keep != nil {
		_, err := io.CopyN(c.keep, c.in, n)
		return err
	}
	for n > 0 {
		done, err := c.in.Discard(int(min(n, 1<<30)))
		if n -= int64(done); err != nil {
			return err
		}
	}
	return nil
}
