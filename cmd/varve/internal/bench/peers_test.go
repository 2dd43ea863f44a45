package bench

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The configurations are compared whole with testdata, which is also the place
// to read them.
func TestConfigurations(t *testing.T) {
	for name, text := range map[string]string{"apache.conf": apacheConfig, "nginx.conf": nginxConfig, "hacdias.yaml": hacdiasConfig} {
		dir := t.TempDir()
		at := place{
			Address: "127.0.0.1:81", Host: "127.0.0.1", Port: "81", Dir: dir, Files: filepath.Join(dir, "files"),
			User: "ann", Password: "secret", Htpasswd: filepath.Join(dir, "htpasswd"), Account: account{"www-data", "www"},
		}
		conf, err := configure(at, text, module{"dav_module", "/lib/dav.so"})
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(conf)
		if err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), strings.ReplaceAll(string(got), dir, "DIR")); diff != "" {
			t.Errorf("%s, -want +got\n%s", name, diff)
		}
	}
}

func TestConfigurationOfNobodyElse(t *testing.T) {
	at := place{Dir: t.TempDir()}
	for _, text := range []string{apacheConfig, nginxConfig} {
		conf, err := configure(at, text)
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(conf)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(strings.ToLower(string(got))) {
			if strings.HasPrefix(line, "user ") || strings.HasPrefix(line, "group ") || strings.HasPrefix(line, "load") {
				t.Errorf("without an account and modules: %s", line)
			}
		}
	}
}

func TestHtpasswd(t *testing.T) {
	const want = "bench:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\n" // htpasswd -nbs bench password
	if got := htpasswd("bench", "password"); got != want {
		t.Errorf("htpasswd = %q, want %q", got, want)
	}
}

// TestPeers starts every peer that is there and does to it what the workloads
// need; without its password it must do nothing.
func TestPeers(t *testing.T) {
	required := os.Getenv("VARVE_REQUIRE_CLIENTS") == "1"
	if testing.Short() && !required {
		t.Skip("starts other servers")
	}
	for _, p := range peers() {
		_, absent := find(p.program)
		if absent != nil && p.name == "hacdias" {
			t.Logf("%v: Debian has no package of it, so only its configuration is tested", absent)
			continue
		}
		t.Run(p.name, func(t *testing.T) {
			if absent != nil && required {
				t.Fatal(absent)
			}
			if absent != nil {
				t.Skip(absent)
			}
			dir, err := os.MkdirTemp("", "varve-bench-test-") // not t.TempDir, which nobody else may enter
			if err != nil {
				t.Fatal(err)
			}
			defer os.RemoveAll(dir)
			if err := os.Chmod(dir, 0o711); err != nil {
				t.Fatal(err)
			}
			s, err := p.start(t.Context(), filepath.Join(dir, p.name))
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := s.process.stop(); err != nil {
					t.Error(err)
				}
			}()
			does(t, s)
			s.authorization = "Basic bm9ib2R5Om5vdGhpbmc="
			if err := s.one(t.Context(), put("not.txt", []byte("hi"))); err == nil || !strings.Contains(err.Error(), "status 401") {
				t.Errorf("PUT with a wrong password: %v, want status 401", err)
			}
		})
	}
}

// does runs every workload that is not slow on a server, as briefly as can be.
func does(t *testing.T, s *server) {
	t.Helper()
	ctx := t.Context()
	for _, w := range []workload{
		listing(Config{}, 100, 2), creating(Config{}, 2), overwriting(Config{}, 2), locking(Config{}), tree(100),
		reading(Config{}, "GET", 2, func(path string) request {
			return request{method: "GET", path: path, status: []int{200}, length: smallSize}
		}),
		treeMeanwhile(100),
	} {
		t.Log(w.rows[0].name)
		if w.prepare != nil {
			if err := w.prepare(ctx, s); err != nil {
				t.Error(err)
				continue
			}
		}
		values, err := w.measure(ctx, s, 0)
		if err != nil {
			t.Error(err)
			continue
		}
		if len(values) != len(w.rows) {
			t.Errorf("%s: %d figures for %d rows", w.rows[0].name, len(values), len(w.rows))
		}
		for i, v := range values {
			if v <= 0 {
				t.Errorf("%s: %v %s", w.rows[i].name, v, w.rows[i].unit)
			}
		}
	}
}

func TestDisk(t *testing.T) {
	dir := t.TempDir()
	for name, measure := range map[string]func() (float64, error){
		"syncs":   func() (float64, error) { return syncs(t.Context(), dir, time.Millisecond) },
		"hashing": func() (float64, error) { return hashing(t.Context(), time.Millisecond) },
	} {
		if v, err := measure(); err != nil || v <= 0 {
			t.Errorf("%s = %v, %v", name, v, err)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := syncs(ctx, dir, time.Hour); err == nil {
		t.Error("syncs goes on when it is cancelled")
	}
}

func TestEveryWorkloadHasRowsAndAName(t *testing.T) {
	seen := map[string]bool{}
	for _, w := range workloads(Config{Time: time.Second}) {
		if len(w.rows) == 0 || w.measure == nil && w.bound == nil || w.bare && w.bound != nil {
			t.Errorf("workload %+v", w.rows)
		}
		for _, row := range w.rows {
			if seen[row.name] || row.unit == "" {
				t.Errorf("row %+v is there twice, or has no unit", row)
			}
			seen[row.name] = true
		}
	}
}
