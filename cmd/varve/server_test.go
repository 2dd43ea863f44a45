package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// server is varve serve as a process of its own, on a store of its own:
//
//	s := startServer(t, "--quota", "1MB")
//	s.do("PUT", "/dav/a.txt", s.token("ann"), "hi")
//	s.kill()
//	s.restart()
//
// It ends with the test. Its log is shown when the test fails.
type server struct {
	*process
	t      *testing.T
	dir    string
	args   []string
	client *http.Client // that do and send use
}

// startServer starts varve serve with the given flags beside --data and
// --listen, and waits until it serves.
func startServer(t *testing.T, args ...string) *server {
	t.Helper()
	return startServerIn(t, filepath.Join(t.TempDir(), "data"), args...)
}

// startServerIn is startServer with the store in a directory of the caller's.
func startServerIn(t *testing.T, dir string, args ...string) *server {
	t.Helper()
	s := &server{t: t, dir: dir, args: args, client: http.DefaultClient}
	s.launch("127.0.0.1:0")
	return s
}

// launch starts the process and has the test end it.
func (s *server) launch(address string) {
	s.t.Helper()
	p, err := startProcess(s.dir, address, s.args...)
	if err != nil {
		s.t.Fatal(err)
	}
	s.process = p
	s.t.Cleanup(func() {
		if s.t.Failed() {
			s.t.Logf("log of server %d:\n%s", p.pid(), p.log())
		}
		if err := p.end(syscall.SIGKILL); err != nil && !errors.Is(err, os.ErrProcessDone) {
			s.t.Log(err)
		}
	})
}

// URL is where path lies on the server.
func (s *server) URL(path string) string { return s.url + path }

// stop ends the server as an operator does; it must end well.
func (s *server) stop() {
	s.t.Helper()
	if err := s.end(syscall.SIGTERM); err != nil {
		s.t.Fatalf("stop: %v\n%s", err, s.log())
	}
}

// kill ends the server with SIGKILL.
func (s *server) kill() {
	s.t.Helper()
	if err := s.end(syscall.SIGKILL); err != nil {
		s.t.Fatalf("kill: %v", err)
	}
}

// restart starts the server again, on the same port and store, after stop or kill.
func (s *server) restart() {
	s.t.Helper()
	u, err := url.Parse(s.url)
	if err != nil {
		s.t.Fatal(err)
	}
	s.launch(u.Host)
}

// token is a JWT of a user.
func (s *server) token(user string, flags ...string) string {
	s.t.Helper()
	return s.varve(append([]string{"token", "--user", user}, flags...)...)
}

// sessionToken is a JWT of a session and its owner.
func (s *server) sessionToken(user, session string, flags ...string) string {
	s.t.Helper()
	return s.token(user, append([]string{"--session", session}, flags...)...)
}

// varve runs a command on the server's store and returns the last line it prints.
func (s *server) varve(args ...string) string {
	s.t.Helper()
	cmd := exec.Command("varve", append(args, "--data", s.dir)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		s.t.Fatalf("varve %v: %v\n%s", args, err, &stderr)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return lines[len(lines)-1]
}

// do sends one request with a Bearer token and returns its status and body.
func (s *server) do(method, path, token, body string) (status int, text string) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.URL(path), strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	answer, err := s.client.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer answer.Body.Close()
	all, err := io.ReadAll(answer.Body)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
	return answer.StatusCode, string(all)
}

// process is a running varve serve.
type process struct {
	cmd   *exec.Cmd
	url   string
	took  time.Duration // from start to serving
	lines *lines        // what it prints
	ended func() error  // waits for it; the same answer every time
}

// startProcess starts varve serve and waits for the line that says where.
func startProcess(dir, address string, args ...string) (*process, error) {
	began := time.Now()
	p := &process{lines: &lines{}}
	p.cmd = exec.Command("varve", append([]string{"serve", "--data", dir, "--listen", address}, args...)...)
	p.cmd.Stderr = p.lines
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	out := bufio.NewReader(stdout)
	first, err := out.ReadString('\n')
	p.took = time.Since(began)
	copied := make(chan error, 1)
	go func() { // ends with the process
		_, err := io.Copy(p.lines, out)
		copied <- err
	}()
	p.ended = sync.OnceValue(func() error { return errors.Join(<-copied, p.cmd.Wait()) })
	if err != nil {
		return nil, fmt.Errorf("varve serve ended: %w\n%s", p.ended(), p.log())
	}
	p.url = strings.TrimSpace(first[strings.LastIndex(first, " ")+1:])
	return p, nil
}

// pid is the process's id.
func (p *process) pid() int { return p.cmd.Process.Pid }

// end sends a signal and waits for the process to end: by SIGKILL however it
// does, by others with exit status 0.
func (p *process) end(s os.Signal) error {
	if err := p.cmd.Process.Signal(s); err != nil {
		return err
	}
	err := p.ended()
	if s == syscall.SIGKILL {
		return nil
	}
	return err
}

// log is what the process printed after its first line.
func (p *process) log() string { return p.lines.String() }

// lines collects output.
type lines struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
}

// Write appends p.
func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
