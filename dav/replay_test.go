package dav_test

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestReplay has the conversations in testdata: what clients send, and what they
// need to hear. A line "@ Name: value" is a header of every request; "> METHOD
// path" begins a request, followed by its headers, "% chunked" or "% expect", an
// empty line and a body; "< 201,204 ; check ; check" ends it. Checks are
// H:Name~regexp, B~regexp, B!regexp (lacks), save:var=H:Name:regexp and
// save:var=B:regexp. {{base}}, {{url}}, {{hostport}} and {{origin}} stand for
// where the tree is, {{var}} and {{var:re}} for what was saved.
func TestReplay(t *testing.T) {
	files, err := filepath.Glob("testdata/*.replay")
	if err != nil || len(files) == 0 {
		t.Fatal("no conversations", err)
	}
	for _, home := range []struct{ name, session string }{
		{"user", "-"},
		{"session", "replay-session"},
	} {
		h := newServer(t).agent("ann", home.session)
		for _, file := range files {
			name := strings.TrimSuffix(filepath.Base(file), ".replay")
			h.do("MKCOL", "/dav/"+name, "").want(201)
			t.Run(name+"/"+home.name, func(t *testing.T) {
				p := &player{t: t, vars: map[string]string{
					"base": "/dav/" + name, "hostport": strings.TrimPrefix(h.url, "http://"),
					"origin": h.url, "url": h.url + "/dav/" + name,
				}}
				p.auth = "Basic " + base64.StdEncoding.EncodeToString([]byte("ann:"+home.session))
				defer p.close()
				for _, s := range readConversation(t, file) {
					p.play(s)
				}
			})
			h.do("DELETE", "/dav/"+name, "").want(204)
		}
	}
}

// step is one request of a conversation and what is wanted of its answer.
type step struct {
	where         string
	method, path  string
	header        [][2]string
	flags         []string
	body          []string
	statuses      string
	checks        []string
	bodyFollows   bool
	sessionHeader [][2]string
}

// readConversation parses a .replay file.
func readConversation(t *testing.T, file string) []step {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var (
		steps  []step
		always [][2]string
		now    *step
	)
	for i, line := range strings.Split(string(text), "\n") {
		where := fmt.Sprintf("%s:%d", filepath.Base(file), i+1)
		switch {
		case now != nil && regexp.MustCompile(`^< \d`).MatchString(line):
			parts := strings.Split(line[2:], " ; ")
			now.statuses, now.checks = strings.TrimSpace(parts[0]), parts[1:]
			steps, now = append(steps, *now), nil
		case now != nil && now.bodyFollows:
			now.body = append(now.body, line)
		case now != nil && line == "":
			now.bodyFollows = true
		case now != nil && strings.HasPrefix(line, "% "):
			now.flags = append(now.flags, line[2:])
		case now != nil:
			now.header = append(now.header, splitHeader(t, where, line))
		case strings.HasPrefix(line, "@ "):
			always = append(always, splitHeader(t, where, line[2:]))
		case strings.HasPrefix(line, "> "):
			method, path, _ := strings.Cut(line[2:], " ")
			now = &step{where: where, method: method, path: path, sessionHeader: always}
		case line != "" && !strings.HasPrefix(line, "#"):
			t.Fatalf("%s: cannot read %q", where, line)
		}
	}
	if now != nil {
		t.Fatalf("%s: no answer to the last request", file)
	}
	return steps
}

func splitHeader(t *testing.T, where, line string) [2]string {
	t.Helper()
	name, value, ok := strings.Cut(line, ":")
	if !ok {
		t.Fatalf("%s: no header: %q", where, line)
	}
	return [2]string{name, strings.TrimSpace(value)}
}

// player has a conversation over one connection, as clients do.
type player struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
	auth string
	vars map[string]string
}

func (p *player) close() {
	if p.conn != nil {
		p.conn.Close()
		p.conn = nil
	}
}

var hole = regexp.MustCompile(`\{\{(\w+)(:re)?\}\}`)

// fill puts values in.
func (p *player) fill(s string) string {
	return hole.ReplaceAllStringFunc(s, func(m string) string {
		part := hole.FindStringSubmatch(m)
		value, ok := p.vars[part[1]]
		if !ok {
			p.t.Fatalf("%s is not known", m)
		}
		if part[2] != "" {
			return regexp.QuoteMeta(value)
		}
		return value
	})
}

// play sends one request byte for byte and checks the answer.
func (p *player) play(s step) {
	p.t.Helper()
	resp, body := p.exchange(s)
	if !slices.Contains(strings.Split(s.statuses, ","), strconv.Itoa(resp.StatusCode)) {
		p.t.Fatalf("%s: %s %s = %d, want %s\n%s", s.where, s.method, p.fill(s.path), resp.StatusCode, s.statuses, body)
	}
	for _, c := range s.checks {
		p.check(s.where, strings.TrimSpace(c), resp.Header, body)
	}
}

// exchange sends one request and reads its answer, connecting anew if the
// server closed.
func (p *player) exchange(s step) (*http.Response, string) {
	p.t.Helper()
	if p.conn == nil {
		conn, err := net.Dial("tcp", p.vars["hostport"])
		if err != nil {
			p.t.Fatal(err)
		}
		p.conn, p.in = conn, bufio.NewReader(conn)
	}
	body := p.fill(strings.Join(s.body, "\n"))
	head, chunked, expect := p.head(s, body)
	if chunked {
		body = fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(body), body)
	}
	r := &http.Request{Method: s.method}
	if expect {
		p.write(head)
		resp := p.read(s, r)
		if resp.StatusCode != http.StatusContinue {
			return p.finish(s, resp)
		}
		p.write(body)
	} else {
		p.write(head + body)
	}
	return p.finish(s, p.read(s, r))
}

// head is the request up to its body.
func (p *player) head(s step, body string) (head string, chunked, expect bool) {
	chunked, expect = slices.Contains(s.flags, "chunked"), slices.Contains(s.flags, "expect")
	set := map[string]string{"Host": p.vars["hostport"], "Authorization": p.auth}
	order := []string{"Host", "Authorization"}
	put := func(name, value string) {
		if _, ok := set[name]; !ok {
			order = append(order, name)
		}
		set[name] = value
	}
	if chunked {
		put("Transfer-Encoding", "chunked")
	} else if body != "" {
		put("Content-Length", strconv.Itoa(len(body)))
	}
	if expect {
		put("Expect", "100-continue")
	}
	for _, h := range append(slices.Clone(s.sessionHeader), s.header...) {
		put(h[0], p.fill(h[1]))
	}
	head = s.method + " " + p.fill(s.path) + " HTTP/1.1\r\n"
	for _, name := range order {
		if set[name] != "-" {
			head += name + ": " + set[name] + "\r\n"
		}
	}
	return head + "\r\n", chunked, expect
}

func (p *player) write(s string) {
	if _, err := io.WriteString(p.conn, s); err != nil {
		p.t.Fatal(err)
	}
}

func (p *player) read(s step, r *http.Request) *http.Response {
	p.t.Helper()
	resp, err := http.ReadResponse(p.in, r)
	if err != nil {
		p.t.Fatalf("%s: %v", s.where, err)
	}
	return resp
}

func (p *player) finish(s step, resp *http.Response) (*http.Response, string) {
	p.t.Helper()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatalf("%s: %v", s.where, err)
	}
	if resp.Close {
		p.close()
	}
	return resp, string(b)
}

// check is one of a step's.
func (p *player) check(where, c string, header http.Header, body string) {
	p.t.Helper()
	name, spec, save := strings.Cut(strings.TrimPrefix(c, "save:"), "=")
	if save = save && strings.HasPrefix(c, "save:"); !save {
		spec = c
	}
	subject, pattern := body, ""
	wanted := true
	switch {
	case strings.HasPrefix(spec, "H:"):
		i := strings.IndexAny(spec[2:], "~:") + 2
		subject, pattern = strings.Join(header.Values(spec[2:i]), ", "), spec[i+1:]
	case strings.HasPrefix(spec, "B!"):
		pattern, wanted = spec[2:], false
	case strings.HasPrefix(spec, "B"):
		pattern = spec[2:]
	default:
		p.t.Fatalf("%s: cannot read check %q", where, c)
	}
	re, err := regexp.Compile(p.fill(pattern))
	if err != nil {
		p.t.Fatalf("%s: %v", where, err)
	}
	m := re.FindStringSubmatch(subject)
	if (m != nil) != wanted {
		p.t.Errorf("%s: check %q fails on %q", where, c, subject)
	}
	if save && m != nil {
		p.vars[name] = m[1]
	}
}
