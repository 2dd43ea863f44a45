package web

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"varve/layers"
)

// What describes the plain handlers of files in the document. huma does not
// look into embedded structs that are not exported, so fields repeat.
type (
	listQuery struct {
		Limit int    `query:"limit" minimum:"1" doc:"Entries a page, at most the server's own limit"`
		After string `query:"after" doc:"Start after this name; a page's next"`
	}
	fileQuery struct {
		Name        string `path:"name" doc:"Path in the tree; may hold slashes"`
		Limit       int    `query:"limit" minimum:"1" doc:"Of a directory: entries a page, at most the server's own limit"`
		After       string `query:"after" doc:"Of a directory: start after this name; a page's next"`
		Download    bool   `query:"download" doc:"Ask a browser to save the file instead of showing it"`
		Range       string `header:"Range"`
		IfMatch     string `header:"If-Match"`
		IfNoneMatch string `header:"If-None-Match"`
	}
	fileBody struct {
		Name          string `path:"name" doc:"Path in the tree; may hold slashes"`
		IfMatch       string `header:"If-Match" doc:"Entity tags, or * for any"`
		IfNoneMatch   string `header:"If-None-Match" doc:"Entity tags, or * for: only if there is nothing"`
		ContentDigest string `header:"Content-Digest" doc:"RFC 9530; a body that does not match changes nothing"`
		ReprDigest    string `header:"Repr-Digest" doc:"RFC 9530, likewise"`
		Mtime         int64  `header:"X-OC-Mtime" doc:"Modification time, seconds since 1970"`
		RawBody       []byte
	}
	conditions struct {
		Name        string `path:"name" doc:"Path in the tree; may hold slashes"`
		IfMatch     string `header:"If-Match" doc:"Entity tags, or * for any"`
		IfNoneMatch string `header:"If-None-Match" doc:"Entity tags, or * for: only if there is nothing"`
	}
)

// written is the answer to a write.
type written struct {
	Entry   entry      `json:"entry"`
	Created bool       `json:"created" doc:"Nothing was visible at the name before"`
	Seq     layers.Seq `json:"seq" doc:"The change; 0 if nothing needed to be recorded"`
}

// removed is the answer to a deletion.
type removed struct {
	Seq layers.Seq `json:"seq" doc:"The change that undoing it would name"`
}

// getFile serves a file, or lists a directory.
func (s *Server) getFile(w *response, r *http.Request) error {
	name, err := s.clean(r.PathValue("name"))
	if err != nil {
		return err
	}
	download, err := flag(r, "download")
	if err != nil {
		return err
	}
	open := s.view(r).Open
	if r.Method == http.MethodHead {
		open = s.view(r).Describe
	}
	f, err := open(r.Context(), name)
	if err != nil {
		return err
	}
	defer f.Close()
	if f.IsDir() {
		return s.list(w, r, name)
	}
	h := w.Header()
	h.Set("Content-Type", mediaType(f.Entry))
	// Whatever was stored gets no origin, no scripts and no plugins in a browser.
	h.Set("Content-Security-Policy", "sandbox; default-src 'none'")
	h.Set("Cache-Control", "private, no-cache")
	h.Set("ETag", f.ETag)
	digest := "sha-256=:" + base64.StdEncoding.EncodeToString(f.Version.Content.Ref[:]) + ":"
	h.Set("Repr-Digest", digest)
	if r.Method == http.MethodGet {
		w.whole = digest
	}
	if download {
		h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": path.Base(spelled(f.Entry))}))
	}
	return serveContent(w, r, f.Modified, f.Content)
}

// serveContent is http.ServeContent whose refusals are errors like any other,
// not plain text.
func serveContent(w *response, r *http.Request, modified time.Time, content io.ReadSeeker) error {
	switch status := w.hold(func() { http.ServeContent(w, r, "", modified, content) }); status {
	case 0:
		return nil
	case http.StatusPreconditionFailed:
		return layers.ErrPrecondition
	case http.StatusRequestedRangeNotSatisfiable:
		return errRange
	default:
		return fmt.Errorf("serving content: %s", http.StatusText(status))
	}
}

// list serves a page of a directory.
func (s *Server) list(w *response, r *http.Request, name string) error {
	limit, err := s.limit(r)
	if err != nil {
		return err
	}
	l, err := s.view(r).List(r.Context(), name, layers.ListOptions{Entries: true})
	if err != nil {
		return err
	}
	b, err := json.Marshal(page(l, r.URL.Query().Get("after"), limit))
	if err != nil {
		return fmt.Errorf("listing: %w", err)
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "private, no-cache")
	h.Set("ETag", l.Self.ETag)
	return serveContent(w, r, l.Self.Modified, bytes.NewReader(b))
}

// putFile writes a whole file.
func (s *Server) putFile(w *response, r *http.Request) error {
	name, err := s.clean(r.PathValue("name"))
	if err != nil {
		return err
	}
	if strings.HasSuffix(r.PathValue("name"), "/") {
		return layers.ErrIsDir // that is how a directory is written
	}
	opts, err := putOptions(r)
	if err != nil {
		return err
	}
	res, err := s.view(r).Put(r.Context(), name, opts)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("ETag", res.Entry.ETag)
	h.Set("Last-Modified", res.Entry.Modified.UTC().Format(http.TimeFormat))
	if !opts.Mtime.IsZero() {
		h.Set("X-OC-Mtime", "accepted")
	}
	status := http.StatusOK
	if res.Created {
		status = http.StatusCreated
	}
	return writeJSON(w, status, toWritten(res))
}

// deleteFile deletes a file, or a directory with all in it.
func (s *Server) deleteFile(w *response, r *http.Request) error {
	name, err := s.clean(r.PathValue("name"))
	if err != nil {
		return err
	}
	cond, err := condition(r.Header)
	if err != nil {
		return err
	}
	seq, err := s.view(r).Remove(r.Context(), name, cond)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, removed{seq})
}

// clean makes a name of what a URL holds.
func (s *Server) clean(raw string) (string, error) {
	_, spelled, err := s.limits.Clean(raw)
	return spelled, err
}

// named makes a name, in key form and as spelled, of what a body or a parameter
// holds; where says which. HTTP makes ".." in a path go away, so that a URL with
// it can be meant; here it is a mistake.
func (s *Server) named(where, raw string) (key, spelled string, err error) {
	if slices.Contains(strings.Split(raw, "/"), "..") {
		return "", "", badInput(where, `want a name without ".."`)
	}
	key, spelled, err = s.limits.Clean(raw)
	switch {
	case errors.Is(err, layers.ErrNameTooLong):
		err = badInput(where, find(err).detail)
	case err != nil:
		err = badInput(where, "want UTF-8 without backslashes and control characters")
	}
	return key, spelled, err
}

// limit is how many entries a page may hold.
func (s *Server) limit(r *http.Request) (int, error) {
	raw := r.URL.Query().Get("limit")
	if raw == "" {
		return s.limits.Page, nil
	}
	n, err := strconv.Atoi(raw)
	if err != nil || n < 1 {
		return 0, badInput("query.limit", "want a number from 1 on")
	}
	return min(n, s.limits.Page), nil
}

// toWritten says in JSON what a write did.
func toWritten(res layers.Result) written {
	return written{Entry: toEntry(res.Entry), Created: res.Created, Seq: res.Seq}
}

// writeJSON sends v. Once the status is out an error only means that the client is gone.
func writeJSON(w *response, status int, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("answer: %w", err)
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(append(b, '\n'))
	return nil
}
