package main

import (
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"varve/authz"
)

// litmusSummary is what litmus says at the end of a suite.
var litmusSummary = regexp.MustCompile("(?m)^<- summary for `(\\w+)': of (\\d+) tests run: (\\d+) passed, (\\d+) failed. ([0-9.]+)%")

// TestLitmus runs all suites of litmus 0.13, the conformance test of RFC 4918,
// with the token as the password of Basic.
func TestLitmus(t *testing.T) {
	drives(t)
	s := startServer(t)
	for _, home := range []struct{ name, token string }{
		{"user", s.token("ann")},
		{"session", s.sessionToken("ann", "litmus-session")},
	} {
		t.Run(home.name, func(t *testing.T) {
			if len(home.token) > authz.MaxPassword {
				t.Fatalf("the token has %d characters, neon sends %d", len(home.token), authz.MaxPassword)
			}
			out := newTool(t, "litmus").run("--keep-going", s.URL("/dav/"), "any", home.token)
			for line := range strings.Lines(out) {
				if regexp.MustCompile(`(?i)warning|skipped|fail \(`).MatchString(line) {
					t.Errorf("litmus: %s", strings.TrimSpace(line))
				}
			}
			passed := map[string]int{}
			for _, m := range litmusSummary.FindAllStringSubmatch(out, -1) {
				if m[2] != m[3] || m[4] != "0" || m[5] != "100.0" {
					t.Errorf("litmus: %s", m[0])
				}
				passed[m[1]], _ = strconv.Atoi(m[3])
			}
			want := map[string]int{"basic": 16, "copymove": 13, "props": 30, "locks": 41, "http": 4}
			if diff := cmp.Diff(want, passed); diff != "" {
				t.Errorf("tests passed, -want +got\n%s\n%s", diff, out)
			}
		})
	}
}
