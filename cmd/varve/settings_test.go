package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// parsed is the serve command as args, the environment and a config file set it.
func parsed(t *testing.T, file string, env map[string]string, args ...string) (serveCmd, []issuer, error) {
	t.Helper()
	if file != "" {
		path := filepath.Join(t.TempDir(), "varve.json")
		if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append([]string{"--config", path}, args...)
	}
	set := &settings{getenv: func(name string) string { return env[name] }}
	var all commands
	parser, err := newParser(&all, set, io.Discard, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	_, err = parser.Parse(append([]string{"serve"}, args...))
	return all.Serve, set.issuers, err
}

func TestFirstThatSpeaksWins(t *testing.T) {
	const file = `{"listen": "file:1", "quota": "2GB", "trusted-proxy": ["10.0.0.0/8", "::1"], "insecure-http": true, "drain": "1d", "propfind-infinity": 1000000}`
	for _, tc := range []struct {
		name, file string
		env        map[string]string
		args       []string
		want       string
	}{
		{"default", "", nil, nil, "127.0.0.1:8080"},
		{"file", file, nil, nil, "file:1"},
		{"environment", file, map[string]string{"VARVE_LISTEN": "env:1"}, nil, "env:1"},
		{"empty variable", file, map[string]string{"VARVE_LISTEN": ""}, nil, "file:1"},
		{"flag", file, map[string]string{"VARVE_LISTEN": "env:1"}, []string{"--listen", "flag:1"}, "flag:1"},
	} {
		got, _, err := parsed(t, tc.file, tc.env, tc.args...)
		if err != nil || got.Listen != tc.want {
			t.Errorf("%s: --listen = %q, %v; want %q", tc.name, got.Listen, err, tc.want)
		}
	}

	got, _, err := parsed(t, file, nil)
	if err != nil {
		t.Fatal(err)
	}
	type values struct {
		Quota    size
		Proxies  []string
		Insecure bool
		Drain    time.Duration
		Infinity int
	}
	want := values{2e9, []string{"10.0.0.0/8", "::1"}, true, 24 * time.Hour, 1000000}
	if diff := cmp.Diff(want, values{got.Quota, got.TrustedProxy, got.InsecureHTTP, time.Duration(got.Drain), got.PropfindInfinity}); diff != "" {
		t.Errorf("values of the file (-want +got):\n%s", diff)
	}
}

func TestConfigFileIsRefused(t *testing.T) {
	for file, want := range map[string]string{
		`{"listn": "x"}`:                  `unknown key "listn"`,
		`{"listen": {"host": "x"}}`:       "listen: want a text",
		`{"issuers": [{"nam": "x"}]}`:     `unknown field "nam"`,
		`{"issuers": {}}`:                 "issuers: want a list, got: object",
		`{"issuers": [{"name": 1}]}`:      "name: want a text, got: number",
		`{"listen": "x"`:                  "ends in the middle",
		`{"quota": "much"}`:               "number of bytes",
		`{"durability": "none"}`:          "must be one of",
		`{} {}`:                           "something follows",
		`[]`:                              "want an object, got: array",
		``:                                "it is empty",
		`{"trusted-proxy": [["deeper"]]}`: "trusted-proxy:",
	} {
		if file == "" {
			file = " "
		}
		if _, _, err := parsed(t, file, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("config file %s: error %v, want %q in it", file, err, want)
		}
	}
	if _, _, err := parsed(t, "", map[string]string{"VARVE_CONFIG": "/does/not/exist"}); err == nil {
		t.Error("a config file that does not exist was accepted")
	}
}

func TestIssuersComeFromFileAndFlags(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte(strings.Repeat("s", 32)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	serve, file, err := parsed(t, `{"issuers": [{"name": "a", "jwks": "https://a.example/jwks", "mints-sessions": true}]}`, nil,
		"--hs256-secret-file", secret, "--issuer-name", "b", "--issuer-admin")
	if err != nil {
		t.Fatal(err)
	}
	got, err := serve.all(file)
	if err != nil || len(got) != 2 {
		t.Fatalf("all = %v, %v; want two issuers", got, err)
	}
	if a := got[0]; a.Name != "a" || a.JWKS != "https://a.example/jwks" || !a.MintsSessions || a.Admin {
		t.Errorf("issuer of the file = %+v", a)
	}
	if b := got[1]; b.Name != "b" || string(b.Secret) != strings.Repeat("s", 32) || b.MintsSessions || !b.Admin {
		t.Errorf("issuer of the flags = %+v", b)
	}
	for _, flags := range [][]string{
		{"--issuer-name", "keyless"},
		{"--jwks", "x", "--public-key-file", "y"},
		{"--jwks", "nameless"},
		{"--hs256-secret-file", "/does/not/exist"},
	} {
		serve, file, err := parsed(t, "", nil, flags...)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := serve.all(file); err == nil {
			t.Errorf("all of %v = %v, want an error", flags, got)
		}
	}
}

func TestUnits(t *testing.T) {
	for in, want := range map[string]size{"0": 0, "1048576": 1 << 20, "64MiB": 64 << 20, "10GB": 1e10, "16 KiB": 16 << 10} {
		var got size
		if err := got.UnmarshalText([]byte(in)); err != nil || got != want {
			t.Errorf("size %q = %d, %v; want %d", in, got, err, want)
		}
	}
	for in, want := range map[string]time.Duration{"90d": 90 * 24 * time.Hour, "12h": 12 * time.Hour, "1h30m": 90 * time.Minute} {
		var got term
		if err := got.UnmarshalText([]byte(in)); err != nil || time.Duration(got) != want {
			t.Errorf("term %q = %v, %v; want %v", in, time.Duration(got), err, want)
		}
	}
	for _, in := range []string{"", "x", "-1", "99999999999999999999", "1d2h", "-5d", "-1h", "36501d", "876001h"} {
		var s size
		var d term
		if in != "-1" && in != "" {
			if err := d.UnmarshalText([]byte(in)); err == nil {
				t.Errorf("term %q = %v, want an error", in, time.Duration(d))
			}
		}
		if err := s.UnmarshalText([]byte(in)); err == nil {
			t.Errorf("size %q = %d, want an error", in, s)
		}
	}
}
