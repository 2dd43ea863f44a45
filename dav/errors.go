package dav

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"strconv"

	"github.com/rs/zerolog"

	"varve/authz"
	"varve/layers"
)

// refusal is an error that knows its answer.
type refusal struct {
	status    int
	condition string   // of RFC 4918, section 16, or of another RFC's DAV: namespace
	hint      string   // for people
	hrefs     []string // escaped, inside the condition
	err       error    // the cause, nil when the request itself is at fault
}

func (e *refusal) Error() string {
	if e.err != nil {
		return e.err.Error()
	}
	return e.hint
}

func (e *refusal) Unwrap() error { return e.err }

// bad refuses a request that makes no sense.
func bad(hint string) error { return &refusal{status: http.StatusBadRequest, hint: hint} }

// verdicts turn sentinels into answers; the first that matches counts.
var verdicts = []refusal{
	{err: layers.ErrNoParent, status: http.StatusConflict, hint: "the parent collection does not exist: make it first"},
	{err: layers.ErrIsDir, status: http.StatusMethodNotAllowed, hint: "this is a collection"},
	{err: layers.ErrNotDir, status: http.StatusConflict, hint: "a part of the path is a file"},
	{err: layers.ErrPrecondition, status: http.StatusPreconditionFailed, hint: "a condition of the request does not hold"},
	{err: layers.ErrLocked, status: http.StatusLocked, condition: "lock-token-submitted",
		hint: "locked: submit the lock's token in an If header, or wait"},
	{err: layers.ErrLockToken, status: http.StatusConflict, condition: "lock-token-matches-request-uri",
		hint: "this lock token is not of a lock here"},
	{err: layers.ErrTooManyLocks, status: http.StatusInsufficientStorage, hint: "too many locks: release some"},
	{err: layers.ErrQuota, status: http.StatusInsufficientStorage, condition: "quota-not-exceeded",
		hint: "the quota is used up: it counts every version kept; ask the operator for more"},
	{err: layers.ErrReadOnly, status: http.StatusForbidden,
		hint: "this tree is read-only to you: a session writes its own below /dav/, users write shared"},
	{err: layers.ErrScope, status: http.StatusForbidden, hint: "the token lacks scope write"},
	{err: layers.ErrRoot, status: http.StatusForbidden, hint: "the root of a tree cannot be deleted or moved"},
	{err: layers.ErrSealed, status: http.StatusForbidden, hint: "the session has ended"},
	{err: layers.ErrOverlap, status: http.StatusForbidden, hint: "source and destination overlap"},
	{err: layers.ErrNameTooLong, status: http.StatusRequestURITooLong, hint: "the name is too long"},
	{err: layers.ErrTooLarge, status: http.StatusRequestEntityTooLarge, hint: "larger than this server takes"},
	{err: layers.ErrShort, status: http.StatusBadRequest, hint: "the body has not the length announced; nothing was changed"},
	{err: layers.ErrDigest, status: http.StatusBadRequest,
		hint: "the computed checksum does not match the one sent; nothing was changed"},
	{err: layers.ErrFull, status: http.StatusInsufficientStorage, condition: "sufficient-disk-space",
		hint: "the store is full; nothing was changed"},
	{err: layers.ErrTooMany, status: http.StatusInsufficientStorage,
		hint: "too many entries for one request: split it by directories"},
	{err: layers.ErrInDoubt, status: http.StatusServiceUnavailable,
		hint: "the store takes no writes until the operator has started it again; reading goes on"},
	{err: layers.ErrDamaged, status: http.StatusInternalServerError, hint: "stored data is damaged; the operator has been told"},
	{err: layers.ErrRecentFailure, status: http.StatusConflict,
		hint: "an upload here was refused moments ago; the older file is kept"},
	{err: authz.ErrUnauthorized, status: http.StatusUnauthorized, hint: "credentials needed"},
	{err: fs.ErrNotExist, status: http.StatusNotFound, hint: "nothing is here"},
	{err: fs.ErrExist, status: http.StatusMethodNotAllowed, hint: "this exists already"},
	{err: fs.ErrPermission, status: http.StatusForbidden, hint: "this is not yours to change"},
	{err: fs.ErrInvalid, status: http.StatusBadRequest,
		hint: "no valid name: UTF-8 without control characters and backslashes"},
	{err: os.ErrDeadlineExceeded, status: http.StatusRequestTimeout, hint: "the request took too long"},
	{err: errBody, status: http.StatusBadRequest, hint: "the request body broke off; nothing was changed"},
	{err: context.Canceled, status: http.StatusServiceUnavailable, hint: "the request was given up"},
	{err: context.DeadlineExceeded, status: http.StatusServiceUnavailable, hint: "the store did not answer in time"},
}

// errBody: the request's body could not be read to its end.
var errBody = errors.New("request body broke off")

// judge finds the answer for err, which came from an operation on t's tree.
func (h *Handler) judge(t target, err error) refusal {
	var found *refusal
	if errors.As(err, &found) {
		return *found
	}
	for _, v := range verdicts {
		if !errors.Is(err, v.err) {
			continue
		}
		v.err = err
		var locked *layers.LockedError
		if errors.As(err, &locked) {
			for _, name := range locked.Names {
				v.hrefs = append(v.hrefs, h.href(t.of(name), false))
			}
		}
		return v
	}
	return refusal{status: http.StatusInternalServerError, hint: "something went wrong here; nothing was changed", err: err}
}

// refuse answers with err.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, t target, err error) {
	v := h.judge(t, err)
	if v.err != nil && v.status >= 500 && v.status != http.StatusInsufficientStorage && r.Context().Err() == nil {
		h.report(r, err)
	}
	header := w.Header()
	for _, stale := range []string{"ETag", "Last-Modified", "Content-Length", "X-OC-Mtime"} {
		header.Del(stale)
	}
	header.Set("Cache-Control", "no-store") // Explorer keeps a 404 for a minute otherwise
	switch v.status {
	case http.StatusUnauthorized:
		h.unauthorized(w, r)
		return
	case http.StatusMethodNotAllowed:
		if header.Get("Allow") == "" {
			header.Set("Allow", allowTree)
		}
	case http.StatusServiceUnavailable:
		header.Set("Retry-After", "5")
	}
	body, contentType := []byte(v.hint+"\n"), "text/plain; charset=utf-8"
	if v.condition != "" {
		body, contentType = appendError(nil, v), xmlType
	}
	header.Set("Content-Type", contentType)
	header.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(v.status)
	w.Write(body)
}

// report puts an error of ours onto the request's own line in the log, which
// knows its id, or onto one of its own.
func (h *Handler) report(r *http.Request, err error) {
	if log := zerolog.Ctx(r.Context()); log.GetLevel() != zerolog.Disabled {
		log.UpdateContext(func(c zerolog.Context) zerolog.Context { return c.Err(err) })
		return
	}
	h.log.Error().Err(err).Str("method", r.Method).Str("path", r.URL.Path).Msg("request failed")
}

// appendError writes a DAV:error element (RFC 4918, section 14.5).
func appendError(b []byte, v refusal) []byte {
	b = append(b, xmlHead+`<D:error xmlns:D="DAV:" xmlns:V="urn:varve"><D:`...)
	b = append(b, v.condition...)
	if len(v.hrefs) == 0 {
		b = append(b, '/', '>')
	} else {
		b = append(b, '>')
		for _, href := range v.hrefs {
			b = append(b, `<D:href>`...)
			b = append(b, href...)
			b = append(b, `</D:href>`...)
		}
		b = append(b, `</D:`...)
		b = append(b, v.condition...)
		b = append(b, '>')
	}
	b = append(b, `<V:hint>`...)
	b = appendText(b, v.hint)
	return append(b, `</V:hint></D:error>`...)
}
