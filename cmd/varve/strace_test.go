package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// step is a request and the status it is answered with.
type step struct {
	method, path, body string
	header             string
	status             int
}

const exclusiveLock = `<D:lockinfo xmlns:D="DAV:"><D:lockscope><D:exclusive/></D:lockscope><D:locktype><D:write/></D:locktype></D:lockinfo>`

// TestAcknowledgedIsSynced: before a 2xx goes out, everything written was
// synced after its last write, and so was the directory of a renamed file.
func TestAcknowledgedIsSynced(t *testing.T) {
	full(t)
	large, larger := string(random(1, 50_000)), string(random(2, 500_000))
	steps := []step{
		{"PUT", "/dav/small.txt", "small", "", 201},
		{"PUT", "/dav/large.bin", large, "", 201},
		{"PUT", "/dav/small.txt", "changed", "", 204},
		{"PUT", "/dav/large.bin", larger, "", 204},
		{"MKCOL", "/dav/dir", "", "", 201},
		{"COPY", "/dav/large.bin", "", "Destination: /dav/copy.bin", 201},
		{"MOVE", "/dav/small.txt", "", "Destination: /dav/moved.txt", 201},
		{"MOVE", "/dav/below.txt", "", "Destination: /dav/dir/raised.txt", 201},
		{"DELETE", "/dav/moved.txt", "", "", 204},
		{"LOCK", "/dav/large.bin", exclusiveLock, "", 200},
	}
	store, calls := traced(t, "full", steps)
	if got := unsynced(store, calls); got != nil {
		t.Errorf("unsynced:\n%s", strings.Join(got, "\n"))
	}
	syncs := 0
	for i, c := range calls {
		if !c.isSync() || !within(store, c.file) || !slices.ContainsFunc(calls[i:], call.isSuccess) {
			continue
		}
		syncs++
		if unsynced(store, slices.Delete(slices.Clone(calls), i, i+1)) == nil {
			t.Errorf("without the %s of %s at line %d nothing is amiss", c.name, c.file, c.ends)
		}
	}
	// One a commit, and for each of the two large files itself and its directory.
	if want := len(steps) + 2*2; syncs != want {
		t.Errorf("%d syncs while serving, want %d", syncs, want)
	}
}

func TestNormalDurabilityLeavesOutTheCommit(t *testing.T) {
	full(t)
	store, calls := traced(t, "normal", []step{{"PUT", "/dav/large.bin", string(random(1, 50_000)), "", 201}})
	got := unsynced(store, calls)
	if len(got) != 1 || !strings.HasSuffix(got[0], filepath.Join(store, "varve.db-wal")) {
		t.Errorf("unsynced = %q, want the WAL alone", got)
	}
}

// traced is what a server with the given durability does while it serves steps
// to a session that has a file below it.
func traced(t *testing.T, durability string, steps []step) (store string, calls []call) {
	t.Helper()
	strace := program(t, "strace")
	s := startServer(t, "--durability", durability)
	session := s.sessionToken("ann", "syncing-0")
	s.must("PUT", "/dav/below.txt", s.token("ann"), "below")
	s.must("PUT", "/dav/first.txt", session, "makes the session")
	trace := attach(t, strace, s.pid())
	for _, step := range steps {
		var header []string
		if step.header != "" {
			header = append(header, step.header)
		}
		if status, _, text := s.send(step.method, step.path, session, step.body, header...); status != step.status {
			t.Errorf("%s %s = %d %s, want %d", step.method, step.path, status, text, step.status)
		}
	}
	s.stop()
	calls = parseTrace(trace())
	var got, want []string
	for _, c := range calls {
		if c.isSuccess() {
			got = append(got, c.text[:len("HTTP/1.1 200")])
		}
	}
	for _, step := range steps {
		want = append(want, fmt.Sprintf("HTTP/1.1 %d", step.status))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("answers in the trace (-want +got):\n%s", diff)
	}
	return s.dir, calls
}

// attach has strace watch a process until it ends; trace waits for that.
func attach(t *testing.T, strace string, pid int) (trace func() string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "trace")
	cmd := exec.Command(strace, "-f", "-y", "-o", file, "-p", fmt.Sprint(pid), "-e", "trace=read,write,pwrite64,writev,pwritev,"+
		"sendto,sendmsg,ftruncate,fallocate,fsync,fdatasync,rename,renameat,renameat2,unlink,unlinkat")
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said := bufio.NewReader(stderr)
	first, err := said.ReadString('\n')
	if err != nil || !strings.Contains(first, "attached") {
		err = errors.Join(err, cmd.Wait())
		if strings.Contains(first, "not permitted") {
			missing(t, first)
		}
		t.Fatalf("strace: %s %v", first, err)
	}
	return func() string {
		t.Helper()
		if _, err := said.WriteTo(t.Output()); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
}
