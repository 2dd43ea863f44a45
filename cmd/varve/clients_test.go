package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// tool is a real client's program with a home of its own, so that nothing of
// the user's is read or written.
type tool struct {
	t       *testing.T
	program string
	home    string   // its HOME, and where it runs
	env     []string // what it gets beside HOME and PATH
}

// drives begins a test that drives a real client: such tests run beside each
// other, and not under -short.
func drives(t *testing.T) {
	t.Helper()
	full(t)
	t.Parallel()
}

// newTool finds a client's program; see program.
func newTool(t *testing.T, name string) *tool {
	t.Helper()
	return &tool{t: t, program: program(t, name), home: t.TempDir()}
}

// try runs the client for a minute at most and returns all it printed.
func (o *tool) try(stdin string, args ...string) (string, error) {
	ctx, stop := context.WithTimeout(o.t.Context(), time.Minute)
	defer stop()
	cmd := exec.CommandContext(ctx, o.program, args...)
	cmd.Dir = o.home
	cmd.Env = append([]string{"HOME=" + o.home, "PATH=" + os.Getenv("PATH"), "LC_ALL=C.UTF-8"}, o.env...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// run is try for what has to succeed.
func (o *tool) run(args ...string) string {
	o.t.Helper()
	out, err := o.try("", args...)
	if err != nil {
		o.t.Fatalf("%s %q: %v\n%s", o.program, args, err, out)
	}
	return out
}

// write makes a file in the client's home and returns where it lies.
func (o *tool) write(name string, content []byte) string {
	o.t.Helper()
	path := filepath.Join(o.home, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		o.t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		o.t.Fatal(err)
	}
	return path
}

// files is what lies in a directory of this machine.
func files(t *testing.T, dir string) tree {
	t.Helper()
	root := os.DirFS(dir)
	found := tree{}
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case name == ".":
		case d.IsDir():
			found[name] = collection
		default:
			content, err := fs.ReadFile(root, name)
			if err != nil {
				return err
			}
			found[name] = digest(content)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// oddNames are names that clients and servers have got wrong.
var oddNames = []string{
	"a b", " leading", "trailing ", "ünï", "100% done", "50%25", "a&b", "a#b", "a;b", "a+b", "a=b,c", "it's", `say "hi"`,
	"what?", "<tag>", "[1]", "{2}", "~tilde", "日本語", "emoji 🎉", "a:b", "a@b", "$HOME", "*", "`x`", "^", "|", ".hidden", "-rf", "...",
}

// oddName is the nth of any number of names, each different.
func oddName(n int) string {
	return fmt.Sprintf("%s %d.txt", oddNames[n%len(oddNames)], n)
}
