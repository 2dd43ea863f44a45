package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
)

const entries = 10_000

const (
	askAll   = `<propfind xmlns="DAV:"><allprop/></propfind>`
	askNamed = `<propfind xmlns="DAV:"><prop><resourcetype/><getcontentlength/><getlastmodified/><getetag/><creationdate/></prop></propfind>`
)

// TestPropfindAgainstApache lists a large collection on varve and on Apache
// mod_dav in turns: varve must be faster.
func TestPropfindAgainstApache(t *testing.T) {
	full(t)
	apache := startApache(t)
	s := startServer(t)
	token := s.token("ann")
	s.must("MKCOL", "/dav/many/", token, "")
	var putting errgroup.Group
	putting.SetLimit(16)
	for i := range entries {
		putting.Go(func() error {
			answer, err := s.client.Do(s.newRequest("PUT", "/dav/many/"+fileName(i), token, strings.NewReader(fileName(i))))
			if err == nil && answer.StatusCode != http.StatusCreated {
				err = fmt.Errorf("PUT %s = %s", fileName(i), answer.Status)
			}
			if err != nil {
				return err
			}
			return answer.Body.Close()
		})
	}
	if err := putting.Wait(); err != nil {
		t.Fatal(err)
	}
	for name, body := range map[string]string{"allprop": askAll, "five properties": askNamed} {
		var ours, theirs []time.Duration
		for range 5 {
			ours = append(ours, listed(t, s.newRequest("PROPFIND", "/dav/many/", token, strings.NewReader(body), "Depth: 1")))
			r, err := http.NewRequest("PROPFIND", apache+"/many/", strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Depth", "1")
			theirs = append(theirs, listed(t, r))
		}
		a, b := median(ours), median(theirs)
		t.Logf("%s of %d entries: varve %v, Apache %v, ratio %.1f", name, entries, a, b, b.Seconds()/a.Seconds())
		if a >= b {
			t.Errorf("%s: varve takes %v %v, Apache %v %v", name, a, ours, b, theirs)
		}
	}
}

func fileName(i int) string { return fmt.Sprintf("file-%05d.txt", i) }

func median(d []time.Duration) time.Duration {
	return slices.Sorted(slices.Values(d))[len(d)/2]
}

// listed is how long a listing takes until its last byte is read.
func listed(t *testing.T, r *http.Request) time.Duration {
	t.Helper()
	began := time.Now()
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	took := time.Since(began)
	if n := bytes.Count(text, []byte("</D:response>")); err != nil || answer.StatusCode != http.StatusMultiStatus || n != entries+1 {
		t.Fatalf("PROPFIND %s = %s with %d responses, %v; want 207 with %d", r.URL, answer.Status, n, err, entries+1)
	}
	return took
}

const apacheConfig = `
ServerRoot "%[1]s"
ServerName localhost
Listen %[2]s
PidFile "%[1]s/pid"
ErrorLog "%[1]s/errors"
User www-data
Group www-data
LoadModule mpm_event_module %[3]s/mod_mpm_event.so
LoadModule authz_core_module %[3]s/mod_authz_core.so
LoadModule mime_module %[3]s/mod_mime.so
LoadModule dav_module %[3]s/mod_dav.so
LoadModule dav_fs_module %[3]s/mod_dav_fs.so
TypesConfig /etc/mime.types
DavLockDB "%[1]s/locks/db"
DocumentRoot "%[1]s/www"
<Directory "%[1]s/www">
  Dav On
  Require all granted
</Directory>
`

// startApache serves the same files as varve with mod_dav, and returns its URL.
func startApache(t *testing.T) string {
	t.Helper()
	httpd := program(t, "apache2")
	// Not t.TempDir, which nobody else may enter: Apache gives up being root.
	dir, err := os.MkdirTemp("", "varve-apache-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	files := filepath.Join(dir, "www", "many")
	for _, d := range []string{files, filepath.Join(dir, "locks")} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(filepath.Join(dir, "locks"), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for i := range entries {
		if err := os.WriteFile(filepath.Join(files, fileName(i)), []byte(fileName(i)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	free.Close()
	config := filepath.Join(dir, "conf")
	if err := os.WriteFile(config, fmt.Appendf(nil, apacheConfig, dir, address, "/usr/lib/apache2/modules"), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(httpd, "-f", config, "-DFOREGROUND")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		if err := cmd.Process.Signal(syscall.SIGTERM); err == nil {
			<-ended
		}
	})
	for {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			conn.Close()
			return "http://" + address
		}
		select {
		case err := <-ended:
			log, _ := os.ReadFile(filepath.Join(dir, "errors"))
			t.Fatalf("apache2: %v\n%s%s", err, &out, log)
		case <-time.After(10 * time.Millisecond):
		}
	}
}
