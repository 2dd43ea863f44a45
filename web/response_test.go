package web

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// underneath is what net/http would have under a response.
type underneath struct {
	*httptest.ResponseRecorder
	readFrom bool
	deadline bool
}

func (u *underneath) ReadFrom(r io.Reader) (int64, error) {
	u.readFrom = true
	return io.Copy(u.ResponseRecorder, r)
}

func (u *underneath) SetReadDeadline(time.Time) error {
	u.deadline = true
	return nil
}

// TestResponseForwards: sendfile needs ReadFrom to reach net/http, and
// http.ResponseController needs Unwrap.
func TestResponseForwards(t *testing.T) {
	u := &underneath{ResponseRecorder: httptest.NewRecorder()}
	w := &response{ResponseWriter: u}
	r := httptest.NewRequest("GET", "/", nil)
	http.ServeContent(w, r, "", time.Time{}, strings.NewReader("content"))
	if !u.readFrom || w.bytes != 7 || w.status != 200 {
		t.Errorf("ReadFrom reached: %v, %d bytes, status %d", u.readFrom, w.bytes, w.status)
	}
	if err := http.NewResponseController(w).SetReadDeadline(time.Time{}); err != nil || !u.deadline {
		t.Errorf("SetReadDeadline: %v", err)
	}
	w.Flush()
	if !u.Flushed {
		t.Error("Flush did not get through")
	}
}

func TestContentDigestOfWholeAnswersOnly(t *testing.T) {
	for status, want := range map[int]string{200: "d", 206: "", 304: "", 412: ""} {
		rec := httptest.NewRecorder()
		(&response{ResponseWriter: rec, whole: "d"}).WriteHeader(status)
		if got := rec.Header().Get("Content-Digest"); got != want {
			t.Errorf("%d: Content-Digest %q, want %q", status, got, want)
		}
	}
}
