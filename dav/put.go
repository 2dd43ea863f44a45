package dav

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"varve/layers"
)

// put writes a whole file. Whatever makes a body doubtful is refused: nothing of
// the old content changes before the new one is whole.
func (h *Handler) put(w http.ResponseWriter, r *http.Request, t target) error {
	opts, err := h.putOptions(r, t)
	if err != nil {
		return err
	}
	content := &bodyReader{r: r.Body}
	opts.Body = content
	done, err := t.view.Put(r.Context(), t.name, opts)
	if err != nil {
		if content.err != nil && content.err != io.EOF {
			err = brokenBody(content.err)
		}
		h.refused.note(r, t, h.now())
		return err
	}
	header := w.Header()
	header.Set("ETag", done.Entry.ETag)
	header.Set("OC-ETag", done.Entry.ETag)
	header.Set("Last-Modified", done.Entry.Modified.UTC().Format(http.TimeFormat))
	header.Set("Repr-Digest", digests(nil, done.Entry))
	if !opts.Mtime.IsZero() {
		header.Set("X-OC-Mtime", "accepted")
	}
	return created(w, done)
}

// created answers a write: 201 when nothing was there before, else 204.
func created(w http.ResponseWriter, done layers.Result) error {
	if done.Created {
		w.WriteHeader(http.StatusCreated)
	} else {
		w.WriteHeader(http.StatusNoContent)
	}
	return nil
}

// putOptions reads everything but the body.
func (h *Handler) putOptions(r *http.Request, t target) (layers.PutOptions, error) {
	opts := layers.PutOptions{Length: r.ContentLength, Type: givenType(r.Header)}
	switch {
	case t.dir:
		return opts, &refusal{status: http.StatusMethodNotAllowed, hint: "a file's URL does not end in a slash"}
	case r.Header.Get("Content-Range") != "":
		// A server that ignores it replaces the file by its tail (RFC 9110, section 14.4).
		return opts, bad("parts of files cannot be written: send the whole file")
	case !r.ProtoAtLeast(1, 1) && r.Header.Get("Content-Length") == "":
		// The end of such a body is the end of the connection, also of a broken one.
		return opts, &refusal{status: http.StatusLengthRequired, hint: "HTTP/1.0 needs a Content-Length here"}
	}
	if expected := r.Header.Get("X-Expected-Entity-Length"); expected != "" {
		n, err := strconv.ParseInt(strings.TrimSpace(expected), 10, 64)
		if err != nil || n < 0 || opts.Length >= 0 && opts.Length != n {
			return opts, bad("X-Expected-Entity-Length is not the length of the body")
		}
		opts.Length = n
	}
	var err error
	if opts.Digests, err = parseDigests(r.Header); err != nil {
		return opts, err
	}
	opts.Mtime = clientTime(r.Header)
	opts.Cond, err = h.cond(r, t)
	return opts, err
}

// clientTime is what X-OC-Mtime states; zero when it is absent or no time.
func clientTime(header http.Header) time.Time {
	mtime, _ := parseClientTime(header.Get("X-OC-Mtime"))
	return mtime
}

// bodyReader remembers why reading a body ended, so that a client's broken
// connection can be told from a failure of the store. It stands beside the
// request: replacing r.Body would break Expect: 100-continue.
type bodyReader struct {
	r   io.Reader
	err error
}

func (b *bodyReader) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if err != nil {
		b.err = err
	}
	return n, err
}

// brokenBody says what a read error of a body means.
func brokenBody(err error) error {
	var over *http.MaxBytesError
	if errors.As(err, &over) {
		return layers.ErrTooLarge
	}
	return errors.Join(errBody, err)
}
