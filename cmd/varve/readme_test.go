package main

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// The README's shell blocks are run, in order and in one shell, against a
// server of their own. What a comment at the end of a line says must be printed.
func TestReadmeCommandsWork(t *testing.T) {
	program(t, "curl")
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	var script strings.Builder
	for _, block := range regexp.MustCompile("(?ms)^```sh\n(.*?)^```$").FindAllStringSubmatch(string(text), -1) {
		script.WriteString(block[1])
	}
	s := startServer(t)
	shell := exec.Command("sh", "-eux")
	shell.Dir = t.TempDir()
	shell.Env = append(os.Environ(), "VARVE_DATA="+s.dir)
	shell.Stdin = strings.NewReader(strings.ReplaceAll(script.String(), "http://127.0.0.1:8080", s.url))
	var stderr strings.Builder
	shell.Stderr = &stderr
	out, err := shell.Output()
	if err != nil {
		t.Fatalf("%v\n%s%s", err, out, &stderr)
	}
	rest := string(out)
	for _, want := range regexp.MustCompile(`(?m) {2,}# (.*)$`).FindAllStringSubmatch(script.String(), -1) {
		_, after, found := strings.Cut(rest, want[1]+"\n")
		if !found {
			t.Fatalf("the commands do not print %q where the README says so:\n%s", want[1], out)
		}
		rest = after
	}
}
