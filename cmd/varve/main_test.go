package main

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain builds varve once and puts it first in PATH: scripts and the servers
// under test run the very program, without -race.
func TestMain(m *testing.M) {
	status, err := withBinary(m.Run)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		status = 1
	}
	os.Exit(status)
}

func withBinary(do func() int) (status int, err error) {
	dir, err := os.MkdirTemp("", "varve-test-")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	if out, err := exec.Command("go", "build", "-o", filepath.Join(dir, "varve"), ".").CombinedOutput(); err != nil {
		return 1, fmt.Errorf("go build: %w\n%s", err, out)
	}
	if err := os.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH")); err != nil {
		return 1, err
	}
	return do(), nil
}

// program is where a client the test drives lies; without it, see missing.
func program(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		debian := map[string]string{"mount.davfs": "davfs2"}
		missing(t, fmt.Sprintf("%v: Debian has it in package %s", err, cmp.Or(debian[name], name)))
	}
	return path
}

// missing skips a test that lacks something of the machine. With
// VARVE_REQUIRE_CLIENTS=1, as in CI, it fails.
func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("VARVE_REQUIRE_CLIENTS") == "1" {
		t.Fatalf("%s, and VARVE_REQUIRE_CLIENTS is set", what)
	}
	t.Skip(what)
}

// TestScripts runs the journeys of the command line. Beside testscript's own
// commands they have serve [FLAG...], which starts a server on $WORK/data and
// sets URL, and stop, which ends it with SIGTERM.
func TestScripts(t *testing.T) {
	program(t, "curl")
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("HOME", env.WorkDir)
			env.Values[scriptServer{}] = &scriptServer{}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"serve": func(ts *testscript.TestScript, _ bool, args []string) {
				ts.Value(scriptServer{}).(*scriptServer).start(ts, args)
			},
			"stop": func(ts *testscript.TestScript, _ bool, _ []string) { ts.Value(scriptServer{}).(*scriptServer).stop(ts) },
		},
	})
}

// scriptServer is the server of one script.
type scriptServer struct{ running *process }

func (s *scriptServer) start(ts *testscript.TestScript, args []string) {
	p, err := startProcess(ts.MkAbs("data"), "127.0.0.1:0", args...)
	ts.Check(err)
	s.running = p
	ts.Defer(func() { _ = p.cmd.Process.Kill() })
	ts.Setenv("URL", p.url)
}

func (s *scriptServer) stop(ts *testscript.TestScript) {
	err := s.running.end(os.Interrupt)
	ts.Logf("server: %s", s.running.log())
	ts.Check(err)
}
