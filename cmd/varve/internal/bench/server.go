package bench

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
)

// varveName is the name under which varve stands in the report.
const varveName = "varve"

// server is one that workloads are done to.
type server struct {
	name          string
	version       string
	address       string // it listens on
	dir           string // for what belongs to it
	base          string // path its files lie at, with slashes at both ends
	authorization string // header, as it stands in a request
	login         login
	process       *process
	prepared      map[string]error // what once has done
	stamp         atomic.Uint64    // makes every body sent to it unlike the ones before
}

// login is how rclone is told to authenticate.
type login struct{ user, password, bearer string }

// once does prepare the first time it is called with a key; the result stands.
func (s *server) once(key string, prepare func() error) error {
	err, done := s.prepared[key]
	if !done {
		err = prepare()
		s.prepared[key] = err
	}
	return err
}

// startVarve starts varve on a store of its own in dir.
func startVarve(ctx context.Context, cfg Config, dir string) (*server, error) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	data := filepath.Join(dir, "data")
	cmd := exec.Command(cfg.Varve, "serve", "--data", data, "--listen", address, "--log-level", "warn")
	cmd.Env = plainEnv("VARVE_")
	p, err := startProcess(ctx, cmd, address, filepath.Join(dir, "log"))
	if err != nil {
		return nil, err
	}
	s := &server{name: varveName, address: address, dir: dir, base: "/dav/", process: p, prepared: map[string]error{}}
	token := []string{"token", "--data", data, "--user", "bench"}
	if cfg.Session {
		token = append(token, "--session", "bench-session")
	}
	if s.login.bearer, err = output(ctx, cfg.Varve, token...); err == nil {
		s.authorization = "Bearer " + s.login.bearer
		s.version, err = output(ctx, cfg.Varve, "version")
	}
	s.version = strings.TrimPrefix(s.version, "varve ")
	if err != nil {
		return nil, errors.Join(err, p.stop())
	}
	return s, nil
}

// output is what a command prints, without space around it.
func output(ctx context.Context, program string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = plainEnv("VARVE_")
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w: %s", filepath.Base(program), args[0], err, bytes.TrimSpace(complaint.Bytes()))
	}
	return strings.TrimSpace(string(out)), nil
}

// plainEnv is the environment without the settings of the person who runs the
// benchmark, which would make it another.
func plainEnv(prefix string) []string {
	var env []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, prefix) {
			env = append(env, v)
		}
	}
	return env
}

// peer is another server that varve is measured against.
type peer struct {
	name    string
	program []string // names to look for
	about   string   // argument that makes it print its version
	// command is the server in the foreground over at.Files, reading no configuration but
	// what it writes into at.Dir. An error says what the machine lacks.
	command func(program string, at place) (*exec.Cmd, error)
}

// place is where a peer lives and who may enter; configurations are templates
// over it.
type place struct {
	Address        string // to listen on
	Host, Port     string // the same
	Dir            string // configuration, locks, temporary files
	Files          string // what it serves; on the same disk as Dir
	User, Password string
	Htpasswd       string   // file of the same, SHA-1: the cheapest that all can check
	Account        account  // that it serves as
	Modules        []module // that it loads
}

// start starts the peer in dir, which it makes.
func (p peer) start(ctx context.Context, dir string) (*server, error) {
	program, err := find(p.program)
	if err != nil {
		return nil, err
	}
	at, err := newPlace(dir)
	if err != nil {
		return nil, err
	}
	cmd, err := p.command(program, at)
	if err != nil {
		return nil, err
	}
	running, err := startProcess(ctx, cmd, at.Address, filepath.Join(dir, "log"))
	if err != nil {
		return nil, err
	}
	basic := base64.StdEncoding.EncodeToString([]byte(at.User + ":" + at.Password))
	return &server{
		name: p.name, version: versionOf(ctx, program, p.about), address: at.Address, dir: dir, base: "/",
		authorization: "Basic " + basic, login: login{user: at.User, password: at.Password},
		process: running, prepared: map[string]error{},
	}, nil
}

// find is the first of programs that is there. Servers lie where not everybody
// looks for programs.
func find(programs []string) (string, error) {
	for _, name := range programs {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
		for _, dir := range []string{"/usr/sbin", "/usr/local/sbin"} {
			if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
				return path, nil
			}
		}
	}
	return "", fmt.Errorf("there is no program %s", strings.Join(programs, " or "))
}

// versionOf is the version a program states, wherever it prints it.
func versionOf(ctx context.Context, program, about string) string {
	out, err := exec.CommandContext(ctx, program, about).CombinedOutput()
	if v := regexp.MustCompile(`\d+\.\d+(\.\d+)?`).Find(out); err == nil && v != nil {
		return string(v)
	}
	return "of an unknown version"
}

// newPlace makes the directories of a peer.
func newPlace(dir string) (place, error) {
	at := place{Dir: dir, Files: filepath.Join(dir, "files"), User: "bench", Password: rand.Text(), Htpasswd: filepath.Join(dir, "htpasswd")}
	var err error
	if at.Address, err = freeAddress(); err != nil {
		return at, err
	}
	at.Host, at.Port, _ = strings.Cut(at.Address, ":")
	if at.Account, err = lesser(); err != nil {
		return at, err
	}
	for _, d := range []string{dir, at.Files, filepath.Join(dir, "temp")} {
		if err := os.Mkdir(d, 0o755); err != nil {
			return at, err
		}
		if err := at.Account.own(d); err != nil {
			return at, err
		}
	}
	return at, os.WriteFile(at.Htpasswd, []byte(htpasswd(at.User, at.Password)), 0o644)
}
