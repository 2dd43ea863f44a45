package dav_test

import (
	"os/exec"
	"strings"
	"testing"
)

const litmus = "/usr/bin/litmus"

// TestLitmus runs all suites of litmus, the conformance test of RFC 4918: every
// test passes, and none warns.
func TestLitmus(t *testing.T) {
	requireClient(t, litmus)
	for _, home := range []struct{ name, session string }{
		{"user", "-"},
		{"session", "litmus-session"},
	} {
		t.Run(home.name, func(t *testing.T) {
			s := newServer(t)
			cmd := exec.CommandContext(t.Context(), litmus, "-k", s.url+"/dav/", "ann", home.session)
			cmd.Dir = t.TempDir() // it writes a log
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Errorf("litmus: %v\n%s", err, out)
			}
			for line := range strings.Lines(string(out)) {
				if strings.Contains(line, "WARNING") || strings.Contains(line, "SKIPPED") || strings.Contains(line, "FAIL") {
					t.Errorf("litmus: %s", strings.TrimSpace(line))
				}
			}
			if n := strings.Count(string(out), "100.0%"); n != 5 {
				t.Errorf("litmus: %d suites of 5 are at 100%%\n%s", n, out)
			}
		})
	}
}
