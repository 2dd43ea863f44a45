package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// davfs is a mount of /dav/ through davfs2 and FUSE.
type davfs struct {
	*tool
	url string
	dir string // where it is mounted

	mounted bool
	pid     int // the daemon's; 0 while not known
}

// mountDavfs mounts the home of a token until the test ends.
func mountDavfs(t *testing.T, s *server, token string) *davfs {
	t.Helper()
	d := &davfs{tool: newTool(t, "mount.davfs"), url: s.URL("/dav/")}
	if os.Getuid() != 0 {
		missing(t, "mount.davfs needs root")
	}
	if _, err := os.Stat("/dev/fuse"); err != nil {
		missing(t, err.Error())
	}
	d.dir = filepath.Join(d.home, "mnt")
	// The daemon runs as user davfs2 and reaches its cache through these.
	for dir, mode := range map[string]os.FileMode{filepath.Dir(d.home): 0o711, d.home: 0o711, d.dir: 0o755} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
	}
	d.write("secrets", fmt.Appendf(nil, "%s any %s\n", d.url, token))
	t.Cleanup(d.release)
	d.mount()
	return d
}

// mount mounts with a new cache, so that all that is read comes from the server.
// Linux asks for more of a directory at once than fits into the default buf_size.
func (d *davfs) mount() {
	d.t.Helper()
	cache, err := os.MkdirTemp(d.home, "cache")
	if err == nil {
		err = os.Chmod(cache, 0o777)
	}
	if err != nil {
		d.t.Fatal(err)
	}
	conf := d.write("davfs2.conf", fmt.Appendf(nil, "secrets %s\ncache_dir %s\nask_auth 0\nuse_locks 1\ndelay_upload 0\nfile_refresh 0\nbuf_size 128\n",
		filepath.Join(d.home, "secrets"), cache))
	d.run(d.url, d.dir, "-o", "conf="+conf)
	d.mounted = true
	d.pid = d.daemon()
}

// daemon is the process that serves the mount. It mounts first, then writes down
// its pid: a file may be there that is empty still.
func (d *davfs) daemon() int {
	d.t.Helper()
	name := strings.ReplaceAll(strings.TrimPrefix(d.dir, "/"), "/", "-") + ".pid"
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(10 * time.Second); ; <-tick.C {
		text, err := os.ReadFile(filepath.Join("/run/mount.davfs", name))
		if pid, parseErr := strconv.Atoi(strings.TrimSpace(string(text))); err == nil && parseErr == nil {
			return pid
		}
		if time.Now().After(end) {
			d.t.Fatalf("pid of mount.davfs: %q, %v", text, err)
		}
	}
}

// unmount ends the mount as a person does and waits for the daemon, which may
// have uploads to finish. Debian's umount.davfs looks for that every 3 s only.
func (d *davfs) unmount() {
	d.t.Helper()
	ctx, stop := context.WithTimeout(context.Background(), 30*time.Second)
	defer stop()
	if out, err := exec.CommandContext(ctx, "umount", "-i", d.dir).CombinedOutput(); err != nil {
		d.t.Fatalf("umount: %v\n%s", err, out)
	}
	if err := gone(ctx, d.pid); err != nil {
		d.t.Fatalf("mount.davfs after umount: %v", err)
	}
	d.pid, d.mounted = 0, false
}

// release leaves neither mount nor daemon behind, in whatever state they are.
func (d *davfs) release() {
	if !d.mounted {
		return
	}
	ctx, stop := context.WithTimeout(context.Background(), 10*time.Second)
	defer stop()
	if d.pid != 0 {
		if err := syscall.Kill(d.pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			d.t.Error(err)
		}
	}
	if out, err := exec.CommandContext(ctx, "umount", "-i", "-l", d.dir).CombinedOutput(); err != nil {
		d.t.Errorf("umount -l: %v\n%s", err, out)
	}
}

// gone waits until a process that is no child of this one has ended.
func gone(ctx context.Context, pid int) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		// A zombie has no command line any more.
		line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if err != nil || len(line) == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// path is where a name lies in the mount.
func (d *davfs) path(name string) string { return filepath.Join(d.dir, filepath.FromSlash(name)) }

// settle waits until the files closed before are uploaded: close does not, but
// the daemon does one thing after another.
func (d *davfs) settle() {
	d.t.Helper()
	var s syscall.Statfs_t
	if err := syscall.Statfs(d.dir, &s); err != nil {
		d.t.Fatal(err)
	}
}

// sh runs a shell command in the mount.
func (d *davfs) sh(command string) {
	d.t.Helper()
	ctx, stop := context.WithTimeout(d.t.Context(), 2*time.Minute)
	defer stop()
	cmd := exec.CommandContext(ctx, "sh", "-ec", command)
	cmd.Dir = d.dir
	if out, err := cmd.CombinedOutput(); err != nil {
		d.t.Fatalf("%s: %v\n%s", command, err, out)
	}
	d.settle()
}

// thousand makes a directory with 1000 files in 40 directories, of up to 64 KiB.
func (d *davfs) thousand() string {
	d.t.Helper()
	for n := range 1000 {
		size := n * n * 7919 % (1 << (n % 17))
		if n < 4 {
			size = [...]int{0, 1, 64 << 10, 16<<10 + 1}[n]
		}
		d.write(fmt.Sprintf("tree/%s/%d/%s", oddNames[n/25%20], n/25, oddName(n)), random(uint64(n), size))
	}
	return filepath.Join(d.home, "tree")
}

func TestDavfs2Tree(t *testing.T) {
	drives(t)
	s := startServer(t)
	d := mountDavfs(t, s, s.sessionToken("ann", "davfs2-tree"))
	want := files(t, d.thousand())
	d.sh("cp -a ../tree .")
	d.unmount()
	d.mount()
	if diff := cmp.Diff(want, files(t, d.path("tree"))); diff != "" {
		t.Errorf("read back after cp -a and a new mount, -want +got\n%s", diff)
	}
	d.sh("mv tree 'moved & renamed'")
	d.sh("rm -rf 'moved & renamed/" + oddNames[0] + "'")
	d.unmount()
	d.mount()
	want = want.without(oddNames[0])
	if diff := cmp.Diff(want, files(t, d.path("moved & renamed"))); diff != "" {
		t.Errorf("after mv and rm -rf, -want +got\n%s", diff)
	}
	d.unmount()
	s.verify()
}

func TestDavfs2Editing(t *testing.T) {
	drives(t)
	s := startServer(t)
	token := s.sessionToken("ann", "davfs2-editing")
	s.must("PUT", "/dav/notes.txt", s.token("ann"), "shared\n")
	d := mountDavfs(t, s, token)
	for _, c := range []struct{ what, command, want string }{
		{"reads what is shared", "cat notes.txt > ../read", "shared\n"},
		{"append", "echo more >> notes.txt", "shared\nmore\n"},
		{"atomic save as most programs do it", "echo saved > .notes.tmp; mv .notes.tmp notes.txt", "saved\n"},
		{"save as vim does it", "mv notes.txt notes.txt~; echo 'by vim' > notes.txt; rm notes.txt~", "by vim\n"},
		{"truncate and write", "echo short > notes.txt", "short\n"},
		{"write in the middle", "printf X | dd of=notes.txt bs=1 seek=2 conv=notrunc status=none", "shXrt\n"},
		{"rename there and back", "mv notes.txt 'n & o.txt'; mkdir d; mv 'n & o.txt' d; mv d e; mv e/* notes.txt; rmdir e", "shXrt\n"},
		{"save twice in a row", "echo 1 > notes.txt; echo 2 > notes.txt", "2\n"},
		{"a script runs", "echo '#!/bin/sh' > notes.txt; chmod +x notes.txt; ./notes.txt", "#!/bin/sh\n"},
	} {
		d.sh(c.command)
		if _, got := s.must("GET", "/dav/notes.txt", token, ""); got != c.want {
			t.Errorf("%s: GET = %q, want %q", c.what, got, c.want)
		}
	}
	d.unmount()
	d.mount()
	if info, err := os.Stat(d.path("notes.txt")); err != nil || info.Mode()&0o100 == 0 {
		t.Errorf("after chmod +x and a new mount: %v, %v", info, err)
	}
	want := tree{"lost+found": collection, "notes.txt": digest([]byte("#!/bin/sh\n"))}
	if diff := cmp.Diff(want, files(t, d.dir)); diff != "" {
		t.Errorf("what is left, -want +got\n%s", diff)
	}
	d.sh("rm notes.txt")
	if status, _ := s.do("GET", "/dav/notes.txt", token, ""); status != http.StatusNotFound {
		t.Errorf("GET of what was removed = %d", status)
	}
	if _, got := s.must("GET", "/dav/notes.txt", s.token("ann"), ""); got != "shared\n" {
		t.Errorf("the owner reads %q, want what was shared", got)
	}
	d.unmount()
	s.verify()
}

// TestDavfs2Restart restarts the server below a mount with a file open and locked.
func TestDavfs2Restart(t *testing.T) {
	drives(t)
	for name, end := range map[string]func(*server){"stopped": (*server).stop, "killed": (*server).kill} {
		t.Run(name, func(t *testing.T) {
			drives(t)
			s := startServer(t)
			token, bob := s.token("ann"), s.token("bob")
			d := mountDavfs(t, s, token)
			f, err := os.Create(d.path("open.txt"))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			wants := func(when string, want int) {
				t.Helper()
				if status, body := s.do("PUT", "/dav/open.txt", bob, "bob's"); status != want {
					t.Errorf("PUT by another user %s = %d %s, want %d", when, status, body, want)
				}
			}
			if _, err := f.WriteString("before"); err != nil {
				t.Fatal(err)
			}
			wants("while the file is open", http.StatusLocked)
			end(s)
			s.restart()
			wants("after the restart", http.StatusLocked)
			if _, err := f.WriteString(" and after"); err != nil {
				t.Fatal(err)
			}
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
			d.sh("echo more > more.txt; cat more.txt")
			for name, want := range map[string]string{"open.txt": "before and after", "more.txt": "more\n"} {
				if _, got := s.must("GET", "/dav/"+name, token, ""); got != want {
					t.Errorf("GET %s = %q, want %q", name, got, want)
				}
			}
			wants("after close", http.StatusNoContent)
			d.unmount()
			s.verify()
		})
	}
}
