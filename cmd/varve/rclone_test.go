package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// rclone is rclone with a remote that its environment describes: :webdav:NAME
// is NAME in the home of a token.
type rclone struct{ *tool }

// newRclone is rclone at /dav/, the token as bearer token.
func newRclone(t *testing.T, s *server, vendor, token string) rclone {
	t.Helper()
	r := rclone{newTool(t, "rclone")}
	r.env = []string{
		"RCLONE_CONFIG=" + r.write("rclone.conf", nil), "RCLONE_CACHE_DIR=" + filepath.Join(r.home, "cache"),
		"RCLONE_RETRIES=1", "RCLONE_WEBDAV_URL=" + s.URL("/dav/"), "RCLONE_WEBDAV_VENDOR=" + vendor,
	}
	return r.with("RCLONE_WEBDAV_BEARER_TOKEN=" + token)
}

// with is the same rclone with more in its environment.
func (r rclone) with(env ...string) rclone {
	more := *r.tool
	more.env = append(more.env[:len(more.env):len(more.env)], env...)
	return rclone{&more}
}

// withPassword is the same rclone with a mount token as the password of Basic.
func (r rclone) withPassword(mount string) rclone {
	obscured := strings.TrimSpace(r.run("obscure", mount))
	return r.with("RCLONE_WEBDAV_BEARER_TOKEN=", "RCLONE_WEBDAV_USER=any", "RCLONE_WEBDAV_PASS="+obscured)
}

// copied runs a command and returns which files it says it copied or touched.
func (r rclone) copied(args ...string) []string {
	r.t.Helper()
	var names []string
	for _, m := range rcloneCopied.FindAllStringSubmatch(r.run(append(args, "-v")...), -1) {
		names = append(names, m[1])
	}
	return names
}

var rcloneCopied = regexp.MustCompile(`(?m) INFO  : (.*): (?:Copied|Updated modification time)`)

// syncedFile is what rclone knows of a file.
type syncedFile struct {
	Size     int64
	Modified string // to the second
	MD5      string
	SHA1     string
}

// list is every file at and below a directory, local or remote.
func (r rclone) list(dir string) map[string]syncedFile {
	r.t.Helper()
	var entries []struct {
		Path    string
		Size    int64
		ModTime time.Time
		Hashes  struct{ MD5, SHA1 string }
	}
	out := r.run("lsjson", "--recursive", "--files-only", "--hash", "--hash-type", "md5", "--hash-type", "sha1", dir)
	if err := json.Unmarshal([]byte(out), &entries); err != nil {
		r.t.Fatalf("lsjson: %v\n%s", err, out)
	}
	all := map[string]syncedFile{}
	for _, e := range entries {
		all[e.Path] = syncedFile{e.Size, e.ModTime.UTC().Format(time.DateTime), e.Hashes.MD5, e.Hashes.SHA1}
	}
	return all
}

// same checks that two directories hold the same files, times and hashes.
func (r rclone) same(a, b string) {
	r.t.Helper()
	if diff := cmp.Diff(r.list(a), r.list(b)); diff != "" {
		r.t.Errorf("%s and %s differ\n%s", a, b, diff)
	}
}

// local makes a directory of files, some old and some oddly named.
func (r rclone) local() string {
	r.t.Helper()
	for n := range oddNames {
		name := r.write(fmt.Sprintf("local/%s/%s", oddNames[n%7], oddName(n)), random(uint64(n), n*n*90))
		at := time.Date(1999+n, 1, 2, 3, 4, 5, 0, time.UTC)
		if err := os.Chtimes(name, at, at); err != nil {
			r.t.Fatal(err)
		}
	}
	return filepath.Join(r.home, "local")
}

// edit replaces a file by its nth content of the same size, which is later by so much.
func (r rclone) edit(name string, n uint64, later time.Duration) {
	r.t.Helper()
	info, err := os.Stat(name)
	if err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(name, random(1000+n, int(info.Size())), 0o600); err != nil {
		r.t.Fatal(err)
	}
	at := info.ModTime().Add(later)
	if err := os.Chtimes(name, at, at); err != nil {
		r.t.Fatal(err)
	}
}

// TestRclone syncs with vendor owncloud: the one whose times and hashes count.
func TestRclone(t *testing.T) {
	drives(t)
	t.Run("user bearer", func(t *testing.T) {
		drives(t)
		s := startServer(t)
		newRclone(t, s, "owncloud", s.token("ann")).syncs(":webdav:deep/down")
	})
	t.Run("session mount token", func(t *testing.T) {
		drives(t)
		s := startServer(t)
		mount := s.varve("token", "--mount", "--user", "ann", "--session", "rclone-session")
		newRclone(t, s, "owncloud", "").withPassword(mount).syncs(":webdav:")
	})
}

// syncs takes a directory up and down again, with changes on both sides.
func (r rclone) syncs(remote string) {
	t, local := r.t, r.local()
	t.Helper()
	if got := r.copied("sync", local, remote); len(got) != len(oddNames) {
		t.Errorf("sync copied %d files of %d: %q", len(got), len(oddNames), got)
	}
	r.same(local, remote)
	r.checks(local, remote)
	if got := r.copied("sync", local, remote); got != nil {
		t.Errorf("sync of what is there already copied %q", got)
	}

	odd := filepath.Join(oddNames[1], oddName(22))
	r.edit(filepath.Join(local, odd), 1, time.Hour)
	if diff := cmp.Diff([]string{odd}, r.copied("sync", local, remote)); diff != "" {
		t.Errorf("sync after an edit of the same size, -want +got\n%s", diff)
	}
	r.edit(filepath.Join(local, odd), 2, 0)
	if out, err := r.try("", "check", local, remote); err == nil {
		t.Errorf("check finds nothing after an edit of the same size\n%s", out)
	}
	if diff := cmp.Diff([]string{odd}, r.copied("copy", "--checksum", local, remote)); diff != "" {
		t.Errorf("copy --checksum after an edit of the same size, -want +got\n%s", diff)
	}
	r.checks(local, remote)

	// A new time of the same content takes no upload.
	at := time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC)
	if err := os.Chtimes(filepath.Join(local, odd), at, at); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{odd}, r.copied("sync", local, remote)); diff != "" {
		t.Errorf("sync after touch, -want +got\n%s", diff)
	}
	if err := os.RemoveAll(filepath.Join(local, oddNames[2])); err != nil {
		t.Fatal(err)
	}
	r.run("sync", local, remote)
	r.same(local, remote)

	down := filepath.Join(r.home, "down")
	r.run("sync", remote, down)
	r.same(remote, down)
	r.same(local, down)
	r.edit(filepath.Join(down, odd), 3, time.Minute)
	r.run("copyto", filepath.Join(down, odd), remote+"/"+odd)
	if diff := cmp.Diff([]string{odd}, r.copied("sync", remote, local)); diff != "" {
		t.Errorf("sync down after an edit of the same size there, -want +got\n%s", diff)
	}
	r.same(remote, local)
}

// checks has rclone compare hashes; it must find some, and no difference.
func (r rclone) checks(a, b string) {
	r.t.Helper()
	if out := r.run("check", a, b); !strings.Contains(out, " 0 differences found") || strings.Contains(out, "could not be checked") {
		r.t.Errorf("check:\n%s", out)
	}
}

func TestRcloneTrees(t *testing.T) {
	drives(t)
	s := startServer(t)
	token := s.sessionToken("ann", "rclone-trees")
	r := newRclone(t, s, "owncloud", token)
	at := time.Date(2020, 2, 29, 12, 0, 1, 0, time.UTC)
	if err := os.Chtimes(r.write("d/a & b.txt", []byte("hi")), at, at); err != nil {
		t.Fatal(err)
	}
	r.run("copy", "d", ":webdav:d")
	r.run("copyto", ":webdav:d/a & b.txt", ":webdav:new/dir/copied #1.txt")
	r.run("moveto", ":webdav:new/dir/copied #1.txt", ":webdav:new/moved.txt")
	r.run("moveto", ":webdav:d", ":webdav:e/d")
	r.run("copy", ":webdav:e", ":webdav:f")
	file := syncedFile{2, "2020-02-29 12:00:01", "49f68a5c8493ec2c0bf489821c21fc3b", "c22b5f9178342609428d6f51b2c5af4c0bde6a42"}
	want := map[string]syncedFile{"new/moved.txt": file, "e/d/a & b.txt": file, "f/d/a & b.txt": file}
	if diff := cmp.Diff(want, r.list(":webdav:")); diff != "" {
		t.Errorf("after copies and moves, -want +got\n%s", diff)
	}

	r.run("purge", ":webdav:f")
	r.run("rmdirs", ":webdav:new", "--leave-root")
	if status, body := s.do("GET", "/dav/f/d", token, ""); status != http.StatusNotFound {
		t.Errorf("GET of what was purged = %d %s", status, body)
	}
	if status, body := s.do("GET", "/dav/new/dir/", token, ""); status != http.StatusNotFound {
		t.Errorf("GET of the empty directory that rmdirs removed = %d %s", status, body)
	}
	large := strings.Repeat("streamed, its length not known ", 10_000)
	if out, err := r.try(large, "rcat", ":webdav:stream.txt"); err != nil {
		t.Fatalf("rcat: %v\n%s", err, out)
	}
	if out := r.run("cat", ":webdav:stream.txt", "--offset", "10", "--count", "10"); out != large[10:20] {
		t.Errorf("cat of a part = %q, want %q", out, large[10:20])
	}
	if _, body := s.must("GET", "/dav/stream.txt", token, ""); body != large {
		t.Errorf("GET of what rcat sent: %d bytes, want %d", len(body), len(large))
	}
	var about struct{ Total, Used, Free int64 }
	out := r.run("about", "--json", ":webdav:")
	if err := json.Unmarshal([]byte(out), &about); err != nil || about.Used < int64(len(large)) || about.Free <= 0 || about.Total != about.Used+about.Free {
		t.Errorf("about = %s, %v; want at least %d bytes used", out, err, len(large))
	}
}

// TestRcloneOther syncs with vendor other, which knows sizes and nothing else.
func TestRcloneOther(t *testing.T) {
	drives(t)
	s := startServer(t)
	for name, token := range map[string]string{"user": s.token("ann"), "session": s.sessionToken("ann", "rclone-other")} {
		t.Run(name, func(t *testing.T) {
			drives(t)
			r := newRclone(t, s, "other", token)
			local, remote, down := r.local(), ":webdav:"+name, filepath.Join(r.home, "down")
			r.run("sync", local, remote)
			r.run("check", "--size-only", local, remote)
			r.run("check", "--download", local, remote)
			if err := os.Remove(filepath.Join(local, oddNames[1], oddName(1))); err != nil {
				t.Fatal(err)
			}
			r.write("local/more/new.txt", []byte("new"))
			want := []string{"more/new.txt"}
			if diff := cmp.Diff(want, r.copied("sync", local, remote)); diff != "" {
				t.Errorf("second sync, -want +got\n%s", diff)
			}
			r.run("sync", remote, down)
			if diff := cmp.Diff(files(t, local), files(t, down)); diff != "" {
				t.Errorf("down is not what went up\n%s", diff)
			}
		})
	}
}

func TestRcloneSeesItsOwnSession(t *testing.T) {
	drives(t)
	s := startServer(t)
	one := newRclone(t, s, "owncloud", s.sessionToken("ann", "rclone-one"))
	one.write("secret/plan.txt", []byte("one's"))
	shared := s.token("ann")
	s.must("PUT", "/dav/shared.txt", shared, "everybody's")
	one.run("copy", "secret", ":webdav:secret")
	one.write("edited.txt", []byte("one's override"))
	one.run("copyto", "edited.txt", ":webdav:shared.txt")
	for who, token := range map[string]string{
		"the other session": s.sessionToken("ann", "rclone-two"), "another's session": s.sessionToken("bob", "rclone-three"),
		"the owner": shared, "another user": s.token("bob"),
	} {
		r := one.with("RCLONE_WEBDAV_BEARER_TOKEN=" + token)
		if got := r.run("lsf", "--recursive", ":webdav:"); got != "shared.txt\n" {
			t.Errorf("%s sees %q", who, got)
		}
		if got := r.run("cat", ":webdav:shared.txt"); got != "everybody's" {
			t.Errorf("%s reads %q", who, got)
		}
	}
	if got := one.run("cat", ":webdav:shared.txt"); got != "one's override" {
		t.Errorf("the session itself reads %q", got)
	}
}

// TestRcloneKeepsWhatItCouldNotReplace is about the DELETE that rclone sends a
// second after a PUT that did not succeed.
func TestRcloneKeepsWhatItCouldNotReplace(t *testing.T) {
	drives(t)
	s := startServer(t, "--quota", "1MB")
	for _, home := range []struct{ name, token string }{{"user", s.token("ann")}, {"session", s.sessionToken("bob", "rclone-keeps")}} {
		t.Run(home.name, func(t *testing.T) {
			drives(t)
			r := newRclone(t, s, "owncloud", home.token)
			r.write("small", []byte("old content"))
			r.write("large", random(1, 2_000_000))
			path := "/dav/" + home.name
			r.run("copyto", "small", ":webdav:"+home.name)
			if out, err := r.try("", "copyto", "large", ":webdav:"+home.name); err == nil {
				t.Errorf("rclone could store more than the quota\n%s", out)
			}
			if !s.logged(`"method":"DELETE","path":"` + path + `","status":409`) {
				t.Errorf("no DELETE of %s was refused: rclone sends none, or it succeeded", path)
			}
			if status, body := s.do("GET", path, home.token, ""); status != http.StatusOK || body != "old content" {
				t.Errorf("GET after a refused PUT and rclone's DELETE = %d %q", status, body)
			}
		})
	}
}

// logged tells whether a line of the server's log holds text.
func (s *server) logged(text string) bool { return strings.Contains(s.log(), text) }
