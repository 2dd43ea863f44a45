package main

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// cadaver is the command line client of neon, fed on its standard input.
type cadaver struct {
	*tool
	url string
}

// newCadaver has the token as the password in ~/.netrc.
func newCadaver(t *testing.T, s *server, token string) *cadaver {
	t.Helper()
	c := &cadaver{newTool(t, "cadaver"), s.URL("/dav/")}
	u, err := url.Parse(s.url)
	if err != nil {
		t.Fatal(err)
	}
	c.write(".netrc", fmt.Appendf(nil, "machine %s\nlogin any\npassword %s\n", u.Hostname(), token))
	return c
}

// says runs commands and returns what cadaver says to each.
func (c *cadaver) says(commands ...string) []string {
	c.t.Helper()
	out, err := c.try(strings.Join(commands, "\n")+"\nquit\n", c.url)
	if err != nil {
		c.t.Fatalf("cadaver: %v\n%s", err, out)
	}
	said := regexp.MustCompile(`(?m)^dav:\S+> `).Split(out, -1)
	if len(said) < len(commands)+1 {
		c.t.Fatalf("cadaver answers %d commands of %d\n%s", len(said)-1, len(commands), out)
	}
	return said[1:]
}

// does runs commands, each of which must have succeeded.
func (c *cadaver) does(commands ...string) {
	c.t.Helper()
	for i, said := range c.says(commands...) {
		if i < len(commands) && !strings.Contains(said, "succeeded") {
			c.t.Errorf("cadaver: %s\n%s", commands[i], said)
		}
	}
}

func TestCadaverFiles(t *testing.T) {
	drives(t)
	s := startServer(t)
	token := s.sessionToken("ann", "cadaver-files")
	c := newCadaver(t, s, token)
	odd := "sp ace ü&#%;.txt"
	for name, text := range map[string]string{"one.txt": "one", "two.txt": "two", odd: "odd"} {
		c.write(name, []byte(text))
	}
	c.does("mkcol job", "put one.txt job/first.txt", "get job/first.txt got.txt")
	got, err := os.ReadFile(filepath.Join(c.home, "got.txt"))
	if err != nil || string(got) != "one" {
		t.Errorf("get = %q, %v; want one", got, err)
	}
	said := c.says("cd job", `mput one.txt two.txt "`+odd+`"`, "ls")
	if n := strings.Count(said[1], "succeeded"); n != 3 {
		t.Errorf("mput of 3 files\n%s", said[1])
	}
	if !strings.Contains(said[2], odd) {
		t.Errorf("ls does not list %q\n%s", odd, said[2])
	}
	c.serves(s, token, map[string]string{"job/one.txt": "one", "job/two.txt": "two", "job/" + odd: "odd"})
}

func TestCadaverTrees(t *testing.T) {
	drives(t)
	s := startServer(t)
	token := s.sessionToken("ann", "cadaver-trees")
	c := newCadaver(t, s, token)
	s.must("MKCOL", "/dav/job", token, "")
	s.must("PUT", "/dav/job/one.txt", token, "one")
	s.must("PUT", "/dav/job/two.txt", token, "two")
	c.does("copy job/one.txt job/copied.txt", "move job/two.txt job/moved.txt", "copy job copied", "move copied moved",
		"delete job/one.txt")
	c.serves(s, token, map[string]string{"job/copied.txt": "one", "job/moved.txt": "two", "job/two.txt": "", "job/one.txt": "",
		"moved/one.txt": "one", "moved/moved.txt": "two", "moved/copied.txt": "one", "copied": ""})
	c.does("rmcol moved")
	c.serves(s, token, map[string]string{"moved": "", "moved/one.txt": "", "job/copied.txt": "one"})
}

// serves checks what lies at names below /dav/; nothing, where the text is empty.
func (c *cadaver) serves(s *server, token string, want map[string]string) {
	c.t.Helper()
	for name, text := range want {
		status, _, got := s.send("GET", "/dav/"+name, token, "")
		if text == "" && status != http.StatusNotFound || text != "" && (status != http.StatusOK || got != text) {
			c.t.Errorf("GET %s = %d %q, want %q", name, status, got, text)
		}
	}
}

func TestCadaverLocks(t *testing.T) {
	drives(t)
	s := startServer(t)
	token := s.token("ann")
	c := newCadaver(t, s, token)
	c.write("one.txt", []byte("one"))
	s.must("MKCOL", "/dav/job", token, "")
	s.must("PUT", "/dav/job/f", token, "old")

	said := c.says("cd job", "lock f", "discover f", "showlocks", "put one.txt f", "lock .", "unlock f", "discover f", "lock .", "showlocks", "unlock .")
	for i, want := range []string{1: "succeeded", 2: "Scope: exclusive", 3: "/dav/job/f'", 4: "succeeded", 5: "failed", 6: "succeeded",
		7: "no locks found", 8: "succeeded", 9: "Depth infinity on", 10: "succeeded"} {
		if !strings.Contains(said[i], want) {
			t.Errorf("cadaver says not %q but %s", want, said[i])
		}
	}
	c.serves(s, token, map[string]string{"job/f": "one"})

	// quit does not unlock: the lock outlives the client.
	c.says("cd job", "lock f")
	bob := s.token("bob")
	if status, _, _ := s.send("PUT", "/dav/job/f", bob, "bob's"); status != http.StatusLocked {
		t.Errorf("PUT by another user while cadaver holds the lock = %d, want 423", status)
	}
	c.says("cd job", "steal f", "unlock f")
	if status, _, _ := s.send("PUT", "/dav/job/f", bob, "bob's"); status != http.StatusNoContent {
		t.Errorf("PUT by another user after cadaver stole and dropped its lock = %d, want 204", status)
	}
}

func TestCadaverProperties(t *testing.T) {
	drives(t)
	s := startServer(t)
	token := s.sessionToken("ann", "cadaver-properties")
	c := newCadaver(t, s, token)
	s.must("PUT", "/dav/f", token, "1")
	s.must("MKCOL", "/dav/d", token, "")
	for _, name := range []string{"f", "d"} {
		said := c.says("propset "+name+" colour \"sea green\"", "propget "+name+" colour", "propnames "+name, "propdel "+name+" colour", "propget "+name+" colour")
		for i, want := range []string{"succeeded", "sea green", "colour", "succeeded"} {
			if !strings.Contains(said[i], want) {
				t.Errorf("%s: cadaver says not %q but %s", name, want, said[i])
			}
		}
		if strings.Contains(said[4], "green") {
			t.Errorf("%s: the property is there after propdel: %s", name, said[4])
		}
		_, text := s.must("PROPFIND", "/dav/"+name, token, "", "Depth: 0")
		if strings.Contains(text, "colour") {
			t.Errorf("%s: PROPFIND shows what propdel removed: %s", name, text)
		}
	}
}
