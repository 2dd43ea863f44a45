package main

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

// policy is which package of varve may import which: the table of the design.
// A change here is a change of the design and a commit of its own.
var policy = map[string][]string{
	"cmd/varve":    {"dav", "web", "layers", "retention", "authz", "history", "history/sql", "history/blob", "cmd/varve/internal/bench"},
	"dav":          {"layers", "authz"},
	"web":          {"layers", "authz", "retention"},
	"layers":       {"authz", "history"},
	"retention":    {"history"},
	"authz":        {"history", "history/sql"},
	"history":      {"history/sql", "history/blob"},
	"history/sql":  {},
	"history/blob": {},

	// It drives the program from outside, as it does the programs of others.
	"cmd/varve/internal/bench": {},
}

// topLevel is all that lies in the root beside names that begin with a dot.
var topLevel = []string{"cmd", "dav", "authz", "layers", "history", "retention", "web", "go.mod", "go.sum", "README.md"}

func TestImportsFollowThePolicy(t *testing.T) {
	root := os.DirFS("../..")
	for pkg, imports := range varveImports(t, root) {
		allowed, ok := policy[pkg]
		if !ok {
			t.Errorf("package %s is not in the policy", pkg)
			continue
		}
		for _, i := range imports {
			if !slices.Contains(allowed, i) {
				t.Errorf("%s imports %s; it may import only %v", pkg, i, allowed)
			}
		}
	}
}

// varveImports maps every package below root to the packages of varve that its
// files import, test files aside.
func varveImports(t *testing.T, root fs.FS) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	eachImport(t, root, func(file, pkg string) {
		if strings.HasSuffix(file, "_test.go") {
			return
		}
		dir := path.Dir(file)
		if own, ok := strings.CutPrefix(pkg, "varve/"); ok && !slices.Contains(found[dir], own) {
			found[dir] = append(found[dir], own)
		}
	})
	return found
}

// eachImport visits the imports of every Go file below root. It reads the files of
// all systems.
func eachImport(t *testing.T, root fs.FS, visit func(file, pkg string)) {
	t.Helper()
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata"):
			return fs.SkipDir
		case d.IsDir() || path.Ext(name) != ".go":
			return nil
		}
		text, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, text, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, i := range file.Imports {
			visit(name, strings.Trim(i.Path.Value, `"`))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestTopLevelHoldsNothingElse(t *testing.T) {
	root := os.DirFS("../..")
	entries, err := fs.ReadDir(root, ".")
	if err != nil {
		t.Fatal(err)
	}
	ignore, err := fs.ReadFile(root, ".gitignore")
	if err != nil {
		t.Fatal(err)
	}
	ignored := func(name string) bool {
		return slices.ContainsFunc(strings.Fields(string(ignore)), func(pattern string) bool {
			match, err := path.Match(strings.TrimPrefix(pattern, "/"), name)
			return match && err == nil
		})
	}
	for _, e := range entries {
		if name := e.Name(); !strings.HasPrefix(name, ".") && !ignored(name) && !slices.Contains(topLevel, name) {
			t.Errorf("%s lies at the top level; only %v do", name, topLevel)
		}
	}
}

func TestImportsAreSeen(t *testing.T) {
	root := fstest.MapFS{
		"layers/view.go":      {Data: []byte("package layers\n\nimport _ \"varve/dav\"\n")},
		"layers/view_test.go": {Data: []byte("package layers\n\nimport _ \"varve/web\"\n")},
	}
	want := map[string][]string{"layers": {"dav"}}
	if diff := cmp.Diff(want, varveImports(t, root)); diff != "" {
		t.Errorf("varveImports differs (-want +got):\n%s", diff)
	}
}
