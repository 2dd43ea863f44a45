package web_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// raw sends text as it is and reads one response; the connection is closed for
// writing first if cut is set.
func (w *world) raw(text string, cut bool) (status int, err error) {
	w.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
	if err != nil {
		w.t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		w.t.Fatal(err)
	}
	if _, err := io.WriteString(conn, text); err != nil {
		w.t.Fatal(err)
	}
	if cut {
		conn.(*net.TCPConn).CloseWrite()
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0, err
	}
	resp.Body.Close()
	return resp.StatusCode, nil
}

// TestCutBodies: a body that does not come whole changes nothing and leaves nothing.
func TestCutBodies(t *testing.T) {
	w := newWorld(t, nil)
	ann := w.token("ann", "")
	etag := w.want(201, "PUT", "/api/uploads/a", ann, "old").header.Get("ETag")
	head := "PUT /api/uploads/a HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + ann + "\r\n"
	big := strings.Repeat("x", 100_000)
	for _, tt := range []struct {
		name, text string
		status     int
	}{
		{"short of its length", head + "Content-Length: 10\r\n\r\nhalf", 400},
		{"big and short", head + "Content-Length: 200000\r\n\r\n" + big, 400},
		{"in a chunk", head + "Transfer-Encoding: chunked\r\n\r\n5\r\nha", 400},
		{"between chunks", head + "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n", 400},
		{"garbage for a chunk", head + "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nzz\r\n", 400},
		{"less than expected", head + "Transfer-Encoding: chunked\r\nX-Expected-Entity-Length: 9\r\n\r\n4\r\nhalf\r\n0\r\n\r\n", 400},
		{"HTTP/1.0 without length", "PUT /api/uploads/a HTTP/1.0\r\nAuthorization: Bearer " + ann + "\r\n\r\nhalf", 411},
		{"JSON", "POST /api/shared/move HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + ann + "\r\nContent-Length: 100\r\n\r\n{\"from\"", 400},
		{"a form", "POST /api/uploads?overwrite=1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + ann + "\r\nContent-Length: 1000\r\n" +
			"Content-Type: multipart/form-data; boundary=b\r\n\r\n--b\r\nContent-Disposition: form-data; name=f; filename=a\r\n\r\nhalf", 400},
		{"a form that ends in the header of a part", "POST /api/uploads?overwrite=1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + ann + "\r\nContent-Length: 92\r\n" +
			"Content-Type: multipart/form-data; boundary=b\r\n\r\n--b\r\nContent-Disposition: form-data; name=f; filename=a\r\n\r\nnew\r\n--b\r\nContent-Disposition: fo", 400},
	} {
		t.Run(tt.name, func(t *testing.T) {
			// Of one that is whole as HTTP has it nothing is cut: to the server a
			// client that has sent all and closes has gone away.
			whole := tt.name == "less than expected" || tt.name == "a form that ends in the header of a part"
			if status, err := w.raw(tt.text, !whole); err == nil && status != tt.status {
				t.Errorf("got %d, want %d", status, tt.status)
			}
			if got := w.want(200, "GET", "/api/uploads/a", ann, ""); got.body != "old" || got.header.Get("ETag") != etag {
				t.Errorf("afterwards a is %q", got.body)
			}
		})
	}
}

// TestAbsurdRequests: a clear 4xx, and the server lives on.
func TestAbsurdRequests(t *testing.T) {
	w := newWorld(t, nil)
	ann := w.token("ann", "")
	for _, text := range []string{
		"GET /api/me HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + strings.Repeat("a", 100_000) + "\r\n\r\n",
		"GET /api/me HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + ann + "\r\nAuthorization: Bearer " + ann + "\r\n\r\n",
		"GET /api/shared/files/" + strings.Repeat("a/", 100_000) + " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + ann + "\r\n\r\n",
		"GET /api/shared/files/x?" + strings.Repeat("limit=1&", 100_000) + " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + ann + "\r\n\r\n",
		"GET /api/shared/files/x HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + ann + "\r\nIf-Match: " + strings.Repeat(`"a",`, 100_000) + "x\r\n\r\n",
		"BREW /dav/../api HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /api/shared/files/%zz HTTP/1.1\r\nHost: x\r\n\r\n",
		"POST /api/sessions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + ann + "\r\nContent-Length: 99999999999\r\n\r\n{",
		fmt.Sprintf("POST /api/sessions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nTransfer-Encoding: chunked\r\n\r\n200000\r\n%s\r\n0\r\n\r\n", ann, strings.Repeat("x", 1<<21)),
	} {
		status, err := w.raw(text, false)
		if err == nil && (status < 400 || status > 499) {
			t.Errorf("%.60q: got %d, want 4xx", text, status)
		}
	}
	w.want(200, "GET", "/healthz", "", "")
}

// TestExpectContinue: credentials are judged before the body is asked for.
func TestExpectContinue(t *testing.T) {
	w := newWorld(t, nil)
	head := "PUT /api/uploads/a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n"
	if status, err := w.raw(head+"\r\n", false); status != 401 {
		t.Errorf("without credentials: got %d, %v", status, err)
	}
	if status, err := w.raw(head+"Authorization: Bearer "+w.token("ann", "")+"\r\n\r\n", false); status != 100 {
		t.Errorf("with credentials: got %d, %v, want 100", status, err)
	}
}
