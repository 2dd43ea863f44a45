package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"varve/authz"
	"varve/layers"
)

// Failures of requests that no tree is asked about.
var (
	errNoRoute     = errors.New("no such URL")
	errMethod      = errors.New("method not allowed")
	errBody        = errors.New("body did not arrive whole")
	errNoLength    = errors.New("length required")
	errPartial     = errors.New("partial writes are not supported")
	errEncoded     = errors.New("content encoding not supported")
	errMultipart   = errors.New("not a multipart form")
	errRange       = errors.New("range beyond the end")
	errUnavailable = errors.New("store does not answer")
)

// cause is a row of the table from errors to answers.
type cause struct {
	err    error
	status int
	name   string // of the problem's type, urn:varve:problem:<name>
	detail string // what it means and what to do
}

// causes is the table. The first row whose error is in the chain decides.
// There is one detail for each, whatever the request was: an answer about what
// one may not see must not differ from one about what is not there.
var causes = []cause{
	{authz.ErrUnauthorized, 401, "unauthorized", "send a valid token: Authorization: Bearer, as password of Basic, or sign in"},
	{errPlainBasic, 401, "insecure", "a token must not travel as a password over plain http: use https, or Authorization: Bearer"},
	{errCrossOrigin, 403, "cross-origin", "another site's page sent this; from other origins send Authorization: Bearer"},
	{errBeyond, 403, "beyond", "a token can make only tokens with a part of its own rights and term; a mount token makes none"},
	{errUnchecked, 503, "unavailable", "the token could not be checked just now; try again"},
	{errUnavailable, 503, "unavailable", "the store does not answer; try again"},
	{errNoRoute, 404, "not-found", "nothing is served at this URL; see /api/openapi.json"},
	{errMethod, 405, "method-not-allowed", "see the Allow header"},
	{errNoLength, 411, "length-required", "HTTP/1.0 needs a Content-Length"},
	{errPartial, 400, "partial-write", "send the whole file without Content-Range"},
	{errEncoded, 415, "content-encoding", "send the bytes of the file as they are, without Content-Encoding"},
	{errMultipart, 415, "multipart", "send multipart/form-data with a part for each file"},
	{errRange, 416, "range", "no part of the range asked for is there; Content-Range says how long it is"},
	{errBody, 400, "incomplete-body", "the body ended or broke off before it was whole; nothing was changed"},

	{layers.ErrPrecondition, 412, "precondition", "the entry is not in the state the request asks for; read it again"},
	{layers.ErrLocked, 423, "locked", "somebody holds a WebDAV lock here"},
	{layers.ErrLockToken, 409, "lock-token", "the lock token does not belong here"},
	{layers.ErrTooManyLocks, 507, "too-many-locks", "drop some locks first"},
	{layers.ErrQuota, 507, "quota", "the account has no room left: its quota counts every version kept; ask the operator for more"},
	{layers.ErrFull, 507, "full", "the store has no room left"},
	{layers.ErrTooMany, 507, "too-many-entries", "one change may write 100,000 entries; split it"},
	{layers.ErrTooLarge, 413, "too-large", "the file is larger than allowed here"},
	{layers.ErrShort, 400, "length", "the body is not as long as announced; nothing was changed"},
	{layers.ErrDigest, 400, "digest", "the body does not match its digest; nothing was changed"},
	{layers.ErrNameTooLong, 414, "name-too-long", "a part of a name holds 255 bytes, a whole name 4096"},
	{layers.ErrNoParent, 409, "no-parent", "the directory to hold it does not exist; make it with mkdir"},
	{layers.ErrIsDir, 409, "is-directory", "this is a directory"},
	{layers.ErrNotDir, 409, "not-directory", "a file stands where a directory is needed"},
	{layers.ErrOverlap, 409, "overlap", "source and destination contain each other"},
	{layers.ErrReadOnly, 403, "read-only", "this tree is read-only to you; a session writes its own (/api/home, /dav/), users write shared"},
	{layers.ErrScope, 403, "scope", "the token lacks scope write"},
	{layers.ErrRoot, 403, "root", "the root of a tree cannot be deleted or moved"},
	{layers.ErrSealed, 403, "sealed", "the session has ended"},
	{layers.ErrRecentFailure, 409, "recent-failure", "an upload of a newer file was just refused; delete it once more if it shall go"},
	{layers.ErrInDoubt, 503, "in-doubt", "the store takes no writes until the operator has started it again; reading goes on"},
	{layers.ErrDamaged, 500, "damaged", "what is stored here is damaged; the operator must restore it"},

	{fs.ErrNotExist, 404, "not-found", "nothing here, or nothing you may see"},
	{fs.ErrExist, 409, "exists", "the name is taken"},
	{fs.ErrPermission, 403, "forbidden", "the token does not allow this"},
	{fs.ErrInvalid, 400, "invalid", "the request or a name in it is not valid; names hold no backslash and no control characters"},
	{context.Canceled, 503, "interrupted", "the request was interrupted; nothing was changed"},
	{context.DeadlineExceeded, 503, "interrupted", "the request took too long; nothing was changed"},
}

// typeInvalid is the problem type of inputs that do not fit the document.
const typeInvalid = "urn:varve:problem:invalid"

// find is the row for err; what the table does not know is a 500.
func find(err error) cause {
	for _, c := range causes {
		if errors.Is(err, c.err) {
			return c
		}
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return cause{err, http.StatusRequestEntityTooLarge, "too-large", "the body is larger than allowed here"}
	}
	return cause{err, http.StatusInternalServerError, "internal", "something went wrong here; the log of the server says what, under this request's id"}
}

// unanswered marks an error of a store that could not say yes or no.
func unanswered(err error) error {
	if find(err).status == http.StatusInternalServerError {
		return fmt.Errorf("%w: %w", errUnavailable, err)
	}
	return err
}

// problem makes the answer to err, and notes on w what comes with it: the
// challenge of a 401, and the error itself if the server is to blame.
func (s *Server) problem(w *response, r *http.Request, err error) *huma.ErrorModel {
	if p, ok := errors.AsType[*huma.ErrorModel](err); ok { // badInput
		p.Instance = instance(w)
		return p
	}
	c := find(err)
	switch {
	case c.status == http.StatusUnauthorized:
		s.challenge(w, r)
		if err != authz.ErrUnauthorized { // not for want of any
			note(r, "refused", err)
		}
	case c.status >= 500 && c.status != http.StatusInsufficientStorage && r.Context().Err() == nil:
		w.err = err
	}
	p := &huma.ErrorModel{
		Type:     "urn:varve:problem:" + c.name,
		Title:    http.StatusText(c.status),
		Status:   c.status,
		Detail:   c.detail,
		Instance: instance(w),
	}
	if locked, ok := errors.AsType[*layers.LockedError](err); ok {
		for _, name := range locked.Names {
			p.Errors = append(p.Errors, &huma.ErrorDetail{Message: "locked", Location: name})
		}
	} else if path, ok := errors.AsType[*fs.PathError](err); ok && c.status != http.StatusNotFound && c.status < 500 {
		p.Errors = []*huma.ErrorDetail{{Message: c.err.Error(), Location: path.Path}}
	}
	return p
}

// refuse replies to a request with what err means.
func (s *Server) refuse(w *response, r *http.Request, err error) {
	p := s.problem(w, r, err)
	if w.status != 0 { // too late to say it
		panic(http.ErrAbortHandler)
	}
	h := w.Header()
	for _, name := range []string{"ETag", "Last-Modified", "Content-Disposition", "Content-Length", "Repr-Digest"} {
		h.Del(name)
	}
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	var b bytes.Buffer
	if err := json.NewEncoder(&b).Encode(p); err != nil {
		w.err = errors.Join(w.err, err)
	}
	w.WriteHeader(p.Status)
	// An error means that the client is gone.
	_, _ = w.Write(b.Bytes())
}

// Unauthorized answers a request whose token turned out further in not to count:
// it is for a session of somebody else's. Nothing has been sent yet.
func (s *Server) Unauthorized(w http.ResponseWriter, r *http.Request) {
	s.refuse(&response{ResponseWriter: w}, r, fmt.Errorf("%w: its session is somebody else's", authz.ErrUnauthorized))
}

// instance names the request a problem is about.
func instance(w http.ResponseWriter) string {
	return "urn:varve:request:" + w.Header().Get("X-Request-Id")
}

// badInput is a refusal of a parameter, a header or a part of a body; where
// says which ("query.limit").
func badInput(where, message string) error {
	return &huma.ErrorModel{
		Type:   typeInvalid,
		Title:  http.StatusText(http.StatusUnprocessableEntity),
		Status: http.StatusUnprocessableEntity,
		Detail: "validation failed",
		Errors: []*huma.ErrorDetail{{Message: message, Location: where}},
	}
}

// bodyError marks err as the fault of who sends the body, unless it has a name of its own.
func bodyError(err error) error {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok || err == io.EOF {
		return err
	}
	return fmt.Errorf("%w: %w", errBody, err)
}

// received is a request's body whose failures are told from the store's.
type received struct{ r io.Reader }

func (b received) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if err != nil && err != io.EOF {
		err = bodyError(err)
	}
	return n, err
}
