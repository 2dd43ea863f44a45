//go:build linux

package main

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestDiskFull fills the disk below the store, by small files and by large
// ones: writes are refused with 507 until there is room again, and nothing that
// was acknowledged suffers.
func TestDiskFull(t *testing.T) {
	full(t)
	disk := smallDisk(t, "48m")
	s := startServerIn(t, filepath.Join(disk, "data"))
	token := s.token("ann")
	filler := filepath.Join(disk, "filler")
	kept := map[string][]byte{}
	for round, sizes := range [][]int{{300_000, 20_000, 1_000}, {1_000, 16_000, 300_000}} {
		if err := os.WriteFile(filler, make([]byte, (3-2*round)*(8<<20)), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, size := range sizes {
			fill(t, s, token, fmt.Sprintf("/dav/%d-%d-", round, size), size, kept)
		}
		checkFull(t, s, token, kept)
		s.kill()
		s.restart()
		checkFull(t, s, token, kept)
		if err := os.Remove(filler); err != nil {
			t.Fatal(err)
		}
		for name, content := range kept { // writing over what is there takes room too
			if status, _, text := s.send("PUT", name, token, string(content)+"+"); status != http.StatusNoContent {
				t.Fatalf("PUT %s with room again = %d %s, want 204", name, status, text)
			}
			kept[name] = append(content, '+')
			if status, _, text := s.send("PUT", name+"-new", token, string(content)); status != http.StatusCreated {
				t.Fatalf("PUT %s-new with room again = %d %s, want 201", name, status, text)
			}
			kept[name+"-new"] = content
			break
		}
		checkKept(t, s, token, kept)
	}
	s.stop()
	s.restart()
	checkKept(t, s, token, kept)
}

// smallDisk mounts a file system of its own for the test.
func smallDisk(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSYS) {
			missing(t, "mounting a small disk needs root: "+err.Error())
		}
		t.Fatalf("mount: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	return dir
}

// fill puts files of one size until there is no room for three in a row.
func fill(t *testing.T, s *server, token, prefix string, size int, kept map[string][]byte) {
	t.Helper()
	refused := 0
	for i := 0; refused < 3; i++ {
		name, content := fmt.Sprint(prefix, i), random(uint64(i*size), size)
		switch status, _, text := s.send("PUT", name, token, string(content)); status {
		case http.StatusCreated:
			kept[name] = content
		case http.StatusInsufficientStorage:
			refused++
		default:
			t.Fatalf("PUT %s on a filling disk = %d %s, want 201 or 507", name, status, text)
		}
	}
	t.Logf("%s*: %d files in all when the disk was full", prefix, len(kept))
}

// checkFull is what must hold while there is no room: reading goes on, and what
// writes either has room or is refused and changes nothing.
func checkFull(t *testing.T, s *server, token string, kept map[string][]byte) {
	t.Helper()
	checkKept(t, s, token, kept)
	var name string
	for name = range kept {
		break
	}
	for _, r := range [][]string{
		{"PUT", name, string(random(7, 50_000))},
		{"PUT", name, string(random(7, 5_000))},
		{"MKCOL", "/dav/" + filepath.Base(name) + "-dir", ""},
		{"LOCK", name + "-null", exclusiveLock},
		{"MOVE", name, "", "Destination: " + name + "-moved"},
		{"DELETE", name, ""},
	} {
		status, _, text := s.send(r[0], r[1], token, r[2], r[3:]...)
		t.Logf("%s on a full disk: %d", r[0], status)
		switch {
		case status == http.StatusInsufficientStorage:
		case status/100 != 2:
			t.Errorf("%s %s on a full disk = %d %s, want 2xx or 507", r[0], r[1], status, text)
		case r[0] == "PUT":
			kept[name] = []byte(r[2])
		case r[0] == "MOVE":
			kept[name+"-moved"] = kept[name]
			delete(kept, name)
			name += "-moved"
		case r[0] == "DELETE":
			delete(kept, name)
		}
	}
	checkKept(t, s, token, kept)
}

// checkKept reads everything that was acknowledged, and the store.
func checkKept(t *testing.T, s *server, token string, kept map[string][]byte) {
	t.Helper()
	for name, want := range kept {
		status, _, got := s.send("GET", name, token, "")
		if status != http.StatusOK || got != string(want) {
			t.Errorf("GET %s = %d with %d bytes, want the %d bytes acknowledged", name, status, len(got), len(want))
		}
	}
	if left := s.spooled(); left != nil {
		t.Errorf("temporary files %q are left", left)
	}
	s.verify()
}
