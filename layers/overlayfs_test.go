package layers

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestOverlayfs does the same random operations to a session's view and to
// Linux overlayfs over a frozen lower directory, and compares what both show.
// Where the kernel refuses what WebDAV allows (a directory renamed over one
// that is not empty) the kernel's side deletes first, as RFC 4918 says.
func TestOverlayfs(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	n := long(t, 20_000)
	t.Logf("seed %d, %d operations", seed, n)
	rng := rand.New(rand.NewPCG(seed, 1))
	for left := n; left > 0 && !t.Failed(); left -= 200 {
		runOverlayfs(t, rng, min(left, 200))
	}
}

func runOverlayfs(t *testing.T, rng *rand.Rand, n int) {
	w := newWorld(t)
	ann, s := w.User("ann"), w.Session("one")
	lower := t.TempDir()
	for range 30 {
		a := randomAct(rng)
		a.who = -1
		ann.do(a)
	}
	for name, text := range ann.tree() {
		plant(t, filepath.Join(lower, name), strings.HasSuffix(name, "/"), text)
	}
	merged := mountOverlay(t, lower)
	var done []act
	for range n {
		a := randomAct(rng)
		done = append(done, a)
		got := s.do(a)
		if want := kernel(merged, a); (got == nil) != (want == nil) {
			t.Fatalf("%v\n= %v, the kernel says %v", done, got, want)
		}
		if diff := cmp.Diff(readTree(t, merged), s.tree()); diff != "" {
			t.Fatalf("%v\n(-overlayfs +view):\n%s", done, diff)
		}
	}
}

func mountOverlay(t *testing.T, lower string) string {
	t.Helper()
	base := t.TempDir()
	dir := func(name string) string {
		d := filepath.Join(base, name)
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
		return d
	}
	merged := dir("merged")
	opts := fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s,redirect_dir=on", lower, dir("upper"), dir("work"))
	if err := syscall.Mount("overlay", merged, "overlay", 0, opts); err != nil {
		if os.Getenv("VARVE_REQUIRE_CLIENTS") == "1" {
			t.Fatalf("mounting overlayfs: %v", err)
		}
		t.Skipf("mounting overlayfs needs root: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(merged, 0); err != nil {
			t.Error(err)
		}
	})
	return merged
}

func plant(t *testing.T, name string, dir bool, text string) {
	t.Helper()
	parent := filepath.Dir(name)
	if dir {
		parent = name
	}
	if err := os.MkdirAll(parent, 0o755); err != nil {
		t.Fatal(err)
	}
	if !dir {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func readTree(t *testing.T, root string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(root, func(p string, e fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(root, p)
		switch {
		case err != nil || rel == ".":
			return err
		case e.IsDir():
			out[rel+"/"] = ""
			return nil
		}
		text, err := os.ReadFile(p)
		out[rel] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// kernel does a to the mounted file system.
func kernel(root string, a act) error {
	name, dest := filepath.Join(root, a.name), filepath.Join(root, a.dest)
	switch a.op {
	case "put":
		return os.WriteFile(name, []byte(a.text), 0o644)
	case "mkdir":
		return os.Mkdir(name, 0o755)
	}
	if _, err := os.Lstat(name); err != nil {
		return err
	}
	if a.op == "remove" {
		return os.RemoveAll(name)
	}
	if a.name == a.dest || below(a.name, a.dest) || below(a.dest, a.name) {
		return ErrOverlap
	}
	if parent, err := os.Stat(filepath.Dir(dest)); err != nil || !parent.IsDir() {
		return errors.Join(err, ErrNoParent)
	}
	if err := os.RemoveAll(dest); err != nil {
		return err
	}
	if a.op == "move" {
		return os.Rename(name, dest)
	}
	return copyTree(name, dest)
}

func copyTree(from, to string) error {
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	if info.IsDir() {
		return os.CopyFS(to, os.DirFS(from))
	}
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, text, 0o644)
}
