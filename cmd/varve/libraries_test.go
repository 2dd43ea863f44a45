package main

import (
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The README's table of libraries names what the code imports, and nothing else:
// the modules that go.mod requires directly.
func TestReadmeNamesTheLibraries(t *testing.T) {
	root := os.DirFS("../..")
	readme, err := fs.ReadFile(root, "README.md")
	if err != nil {
		t.Fatal(err)
	}
	mod, err := fs.ReadFile(root, "go.mod")
	if err != nil {
		t.Fatal(err)
	}
	required := regexp.MustCompile(`(?m)^\t(\S+) v\d`).FindAllStringSubmatch(string(mod), -1)
	moduleOf := func(pkg string) string {
		best := ""
		for _, m := range required {
			if (pkg == m[1] || strings.HasPrefix(pkg, m[1]+"/")) && len(m[1]) > len(best) {
				best = m[1]
			}
		}
		return best
	}
	want := modules(foreignImports(t, root), moduleOf)

	_, table, _ := strings.Cut(string(readme), "\n## Libraries\n")
	table, _, _ = strings.Cut(table, "\n## ")
	var named []string
	for _, row := range regexp.MustCompile(`(?m)^\| ([^|]+\.[^|]+) \|`).FindAllStringSubmatch(table, -1) {
		named = append(named, strings.Split(row[1], ", ")...)
	}
	if diff := cmp.Diff(want, modules(named, moduleOf)); diff != "" {
		t.Errorf("libraries of the README (-imported +named):\n%s", diff)
	}
}

// modules are the modules of packages, each once; a package of none is itself.
func modules(pkgs []string, moduleOf func(string) string) []string {
	var all []string
	for _, pkg := range pkgs {
		if m := moduleOf(pkg); m != "" {
			pkg = m
		}
		all = append(all, pkg)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// foreignImports are the packages that files below root import, tests included,
// other than varve's own and the standard library's.
func foreignImports(t *testing.T, root fs.FS) []string {
	t.Helper()
	var all []string
	eachImport(t, root, func(_, pkg string) {
		if first, _, _ := strings.Cut(pkg, "/"); strings.Contains(first, ".") {
			all = append(all, pkg)
		}
	})
	return all
}
