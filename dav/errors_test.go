package dav

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"varve/authz"
	"varve/layers"
)

// TestEverySentinelHasAVerdict walks all that layers exports: nothing a View
// returns may end as a 500 that nobody thought of.
func TestEverySentinelHasAVerdict(t *testing.T) {
	want := map[string]struct {
		err    error
		status int
	}{
		"ErrNoParent": {layers.ErrNoParent, 409}, "ErrIsDir": {layers.ErrIsDir, 405}, "ErrNotDir": {layers.ErrNotDir, 409},
		"ErrPrecondition": {layers.ErrPrecondition, 412}, "ErrLocked": {layers.ErrLocked, 423},
		"ErrLockToken": {layers.ErrLockToken, 409}, "ErrTooManyLocks": {layers.ErrTooManyLocks, 507},
		"ErrQuota": {layers.ErrQuota, 507}, "ErrReadOnly": {layers.ErrReadOnly, 403}, "ErrSealed": {layers.ErrSealed, 403},
		"ErrScope": {layers.ErrScope, 403}, "ErrRoot": {layers.ErrRoot, 403},
		"ErrOverlap": {layers.ErrOverlap, 403}, "ErrNameTooLong": {layers.ErrNameTooLong, 414},
		"ErrTooLarge": {layers.ErrTooLarge, 413}, "ErrShort": {layers.ErrShort, 400}, "ErrDigest": {layers.ErrDigest, 400},
		"ErrFull": {layers.ErrFull, 507}, "ErrTooMany": {layers.ErrTooMany, 507}, "ErrDamaged": {layers.ErrDamaged, 500}, "ErrInDoubt": {layers.ErrInDoubt, 503},
		"ErrRecentFailure": {layers.ErrRecentFailure, 409},
	}
	h := pathless(t)
	for _, name := range sentinels(t) {
		w, ok := want[name]
		if !ok {
			t.Errorf("layers.%s has no status here", name)
			continue
		}
		wrapped := fmt.Errorf("op: %w", &fs.PathError{Op: "op", Path: "name", Err: w.err})
		if v := h.judge(target{}, wrapped); v.status != w.status || v.hint == "" {
			t.Errorf("%s is answered %d %q, want %d and a hint", name, v.status, v.hint, w.status)
		}
	}
	for err, status := range map[error]int{
		fs.ErrNotExist: 404, fs.ErrExist: 405, fs.ErrPermission: 403, fs.ErrInvalid: 400, authz.ErrUnauthorized: 401,
		errors.New("unheard of"): 500,
	} {
		if v := h.judge(target{}, &fs.PathError{Err: err}); v.status != status {
			t.Errorf("%v is answered %d, want %d", err, v.status, status)
		}
	}
}

// sentinels is the names of layers' exported error variables.
func sentinels(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("../layers/*.go")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if spec, ok := n.(*ast.ValueSpec); ok && strings.HasPrefix(spec.Names[0].Name, "Err") {
				names = append(names, spec.Names[0].Name)
			}
			_, inside := n.(*ast.FuncDecl)
			return !inside
		})
	}
	if len(names) < 15 {
		t.Fatalf("only %v found", names)
	}
	return names
}

// TestErrorsGoOntoTheRequestsLine: the logger in its context knows its id and path.
func TestErrorsGoOntoTheRequestsLine(t *testing.T) {
	var own, lines strings.Builder
	h := pathless(t)
	h.log = zerolog.New(&own)
	for err, want := range map[error]string{
		layers.ErrDamaged:        "{\"error\":\"" + layers.ErrDamaged.Error() + "\",\"message\":\"request\"}\n",
		context.DeadlineExceeded: "{\"error\":\"context deadline exceeded\",\"message\":\"request\"}\n",
		layers.ErrQuota:          "{\"message\":\"request\"}\n",
		fs.ErrNotExist:           "{\"message\":\"request\"}\n",
	} {
		lines.Reset()
		log := zerolog.New(&lines)
		r := httptest.NewRequest("GET", "/dav/x", nil)
		r = r.WithContext(log.WithContext(r.Context()))
		h.refuse(httptest.NewRecorder(), r, target{root: "/dav", name: "x"}, err)
		zerolog.Ctx(r.Context()).Log().Msg("request")
		if lines.String() != want || own.Len() > 0 {
			t.Errorf("%v: logged %s and %s, want %s", err, &lines, &own, want)
		}
	}
}

func TestRefuse(t *testing.T) {
	var lines strings.Builder
	h := pathless(t)
	h.log = zerolog.New(&lines)
	at := target{root: "/dav", name: "x"}
	for _, test := range []struct {
		err          error
		status       int
		body         string
		name, header string
	}{
		{&layers.LockedError{Names: []string{"a b", "."}}, 423,
			xmlHead + `<D:error xmlns:D="DAV:" xmlns:V="urn:varve"><D:lock-token-submitted><D:href>/files/dav/a%20b</D:href>` +
				`<D:href>/files/dav</D:href></D:lock-token-submitted><V:hint>locked: submit the lock&apos;s token`,
			"Content-Type", xmlType},
		{layers.ErrQuota, 507, `<D:quota-not-exceeded/>`, "Content-Type", xmlType},
		{fs.ErrNotExist, 404, "nothing is here\n", "Cache-Control", "no-store"},
		{layers.ErrIsDir, 405, "", "Allow", allowTree},
		{authz.ErrUnauthorized, 401, "", "Www-Authenticate", `Basic realm="varve", charset="UTF-8"`},
		{errors.New("secret"), 500, "nothing was changed", "Content-Type", "text/plain; charset=utf-8"},
	} {
		w := httptest.NewRecorder()
		h.refuse(w, httptest.NewRequest("PUT", "/dav/x", nil), at, test.err)
		body := strings.ReplaceAll(w.Body.String(), "'", "&apos;")
		if w.Code != test.status || !strings.Contains(body, test.body) || w.Header().Get(test.name) != test.header {
			t.Errorf("%v is answered %d %v %q, want %d %s: %s %q", test.err, w.Code, w.Header(), body,
				test.status, test.name, test.header, test.body)
		}
		if strings.Contains(body, "secret") {
			t.Errorf("%v: the answer tells it", test.err)
		}
	}
	if n := strings.Count(lines.String(), "\n"); n != 1 || !strings.Contains(lines.String(), "secret") {
		t.Errorf("logged: %q, want the one unknown error", lines.String())
	}
}
