package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"varve/cmd/varve/internal/bench"
)

// TestBench measures one workload of varve and of the bare handler.
func TestBench(t *testing.T) {
	full(t)
	for _, session := range []bool{false, true} {
		dir := t.TempDir()
		figures := filepath.Join(t.TempDir(), "figures.json")
		args := []string{"bench", "--quick", "--rounds", "1", "--time", "10ms", "--only", "Depth 1 of 100,|^SHA", "--peers", "none", "--dir", dir, "--json", figures}
		if session {
			args = append(args, "--session")
		}
		cmd := exec.Command("varve", args...)
		var progress strings.Builder
		cmd.Stderr = &progress
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("varve %q: %v\n%s", args, err, &progress)
		}
		var r bench.Report
		text, err := os.ReadFile(figures)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, &r); err != nil {
			t.Fatal(err)
		}
		if len(r.Rows) != 3 || len(r.Servers) != 1 || r.Peak == 0 || r.Session != session {
			t.Errorf("the report has %d rows, %d servers, peak %d, session %v\n%s", len(r.Rows), len(r.Servers), r.Peak, r.Session, out)
		}
		for _, row := range r.Rows {
			if row.Bound == nil || row.Bound.Median <= 0 {
				t.Errorf("%s: bound %+v", row.Name, row.Bound)
			}
			if cell := row.Cells["varve"]; row.Name != "SHA-256" && (cell.Median <= 0 || len(cell.Samples) != 1) {
				t.Errorf("%s: varve %+v", row.Name, cell)
			}
			if !strings.Contains(string(out), "\n  "+row.Name+" ") {
				t.Errorf("the table lacks %s:\n%s", row.Name, out)
			}
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
	}
}
