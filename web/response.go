package web

import (
	"io"
	"net/http"

	"varve/authz"
)

// response is the ResponseWriter of one request, and what its log line will
// say. It forwards ReadFrom, so that serving a file still ends in sendfile, and
// Unwrap, so that http.ResponseController works through it.
type response struct {
	http.ResponseWriter
	status    int   // 0: nothing sent yet
	bytes     int64 // of the body
	principal authz.Principal
	err       error // what the reply was made of, if it is worth a log line
	// whole is the Content-Digest (RFC 9530) that a 200 gets, and no part or
	// refusal: which it is, ServeContent decides.
	whole string
	// While held, refusals are noted in refused instead of sent.
	held    bool
	refused int
}

// hold runs serve and returns the status of the refusal it tried to send, or 0.
func (w *response) hold(serve func()) int {
	w.held, w.refused = true, 0
	defer func() { w.held = false }()
	serve()
	return w.refused
}

func (w *response) WriteHeader(status int) {
	if w.held && status >= 400 {
		w.refused = status
		return
	}
	if status >= 200 && w.status == 0 {
		w.status = status
		if w.whole != "" && status == http.StatusOK {
			w.Header().Set("Content-Digest", w.whole)
		}
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *response) Write(p []byte) (int, error) {
	if w.held && w.refused != 0 {
		return len(p), nil
	}
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	n, err := w.ResponseWriter.Write(p)
	w.bytes += int64(n)
	return n, err
}

// ReadFrom lets net/http send a file without copying it through us.
func (w *response) ReadFrom(src io.Reader) (int64, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	n, err := io.Copy(w.ResponseWriter, src)
	w.bytes += n
	return n, err
}

// Flush is for those who ask for an http.Flusher instead of a ResponseController.
func (w *response) Flush() {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	// An error means only that this connection cannot be flushed.
	_ = http.NewResponseController(w.ResponseWriter).Flush()
}

func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }
