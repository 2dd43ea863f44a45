package web

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"varve/authz"
	"varve/layers"
)

// TestEverySentinelHasAStatus walks the sentinels of layers, those it hands on
// included, and of this package.
func TestEverySentinelHasAStatus(t *testing.T) {
	sentinels := map[string]struct {
		err    error
		status int
	}{
		"ErrNoParent": {layers.ErrNoParent, 409}, "ErrIsDir": {layers.ErrIsDir, 409}, "ErrNotDir": {layers.ErrNotDir, 409},
		"ErrPrecondition": {layers.ErrPrecondition, 412}, "ErrLocked": {layers.ErrLocked, 423}, "ErrLockToken": {layers.ErrLockToken, 409},
		"ErrTooManyLocks": {layers.ErrTooManyLocks, 507}, "ErrQuota": {layers.ErrQuota, 507}, "ErrReadOnly": {layers.ErrReadOnly, 403},
		"ErrSealed": {layers.ErrSealed, 403}, "ErrOverlap": {layers.ErrOverlap, 409}, "ErrNameTooLong": {layers.ErrNameTooLong, 414},
		"ErrTooLarge": {layers.ErrTooLarge, 413}, "ErrShort": {layers.ErrShort, 400}, "ErrDigest": {layers.ErrDigest, 400},
		"ErrFull": {layers.ErrFull, 507}, "ErrTooMany": {layers.ErrTooMany, 507}, "ErrDamaged": {layers.ErrDamaged, 500}, "ErrInDoubt": {layers.ErrInDoubt, 503},
		"ErrRecentFailure": {layers.ErrRecentFailure, 409}, "ErrScope": {layers.ErrScope, 403}, "ErrRoot": {layers.ErrRoot, 403},
	}
	for _, name := range sentinelsOf(t, "../layers") {
		if _, ok := sentinels[name]; !ok {
			t.Errorf("layers.%s is not in this test's table", name)
		}
	}
	for name, s := range sentinels {
		wrapped := fmt.Errorf("while testing: %w", &fs.PathError{Op: "test", Path: "a", Err: s.err})
		if got := find(wrapped); got.status != s.status || got.name == "internal" {
			t.Errorf("layers.%s: got %d %s, want %d", name, got.status, got.name, s.status)
		}
	}
	for err, status := range map[error]int{
		authz.ErrUnauthorized: 401, fs.ErrNotExist: 404, fs.ErrExist: 409, fs.ErrPermission: 403, fs.ErrInvalid: 400,
		errors.New("unheard of"): 500, &http.MaxBytesError{}: 413, &layers.LockedError{Names: []string{"a"}}: 423,
	} {
		if got := find(err).status; got != status {
			t.Errorf("find(%v): got %d, want %d", err, got, status)
		}
	}
}

// sentinelsOf finds the Err variables a package exports.
func sentinelsOf(t *testing.T, dir string) (names []string) {
	t.Helper()
	files, err := fs.Glob(os.DirFS(dir), "*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		file, err := parser.ParseFile(gotoken.NewFileSet(), dir+"/"+name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok {
				return true
			}
			for _, id := range spec.Names {
				if strings.HasPrefix(id.Name, "Err") {
					names = append(names, id.Name)
				}
			}
			return true
		})
	}
	return names
}

// TestProblemTellsNothingOfWhatOneMayNotSee: the answer does not depend on the name.
func TestProblemTellsNothingOfWhatOneMayNotSee(t *testing.T) {
	s := &Server{}
	r := httptest.NewRequest("GET", "/", nil)
	p := s.problem(&response{ResponseWriter: httptest.NewRecorder()}, r, &fs.PathError{Op: "open", Path: "secret", Err: fs.ErrNotExist})
	if p.Errors != nil || strings.Contains(p.Detail, "secret") {
		t.Errorf("problem %+v", p)
	}
}
