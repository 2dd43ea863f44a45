package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"
)

// tree is what a collection holds: the digest of each file by its name, and
// collection for what is one.
type tree map[string]string

const collection = "collection"

func digest(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// below are the entries below a collection, with what is behind its name.
func (t tree) below(dir string) map[string]string {
	found := map[string]string{}
	for name, content := range t {
		if rest, ok := strings.CutPrefix(name, dir); ok && (rest == "" || rest[0] == '/') {
			found[rest] = content
		}
	}
	return found
}

// without is t with an entry and all below it gone.
func (t tree) without(name string) tree {
	left := maps.Clone(t)
	for rest := range t.below(name) {
		delete(left, name+rest)
	}
	return left
}

// with is t with the entries of from at to, and nothing else there.
func (t tree) with(to, from string) tree {
	left := t.without(to)
	for rest, content := range t.below(from) {
		left[to+rest] = content
	}
	return left
}

// hand is a client that changes a collection all by itself and keeps a record of
// what must be in it. It is used by one goroutine at a time.
type hand struct {
	s           *server
	root, token string
	session     bool
	rng         *rand.Rand
	tree        tree
	next        tree // what tree becomes if the request that got no answer was carried out
	done        int  // requests acknowledged in this round
}

// change is a request and what it makes of the tree.
type change struct {
	method, name, to string
	body             []byte
	next             tree
}

// work sends requests until one gets no answer, or the wrong one.
func (h *hand) work() error {
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	for h.done = 0; ; h.done++ {
		c := h.plan()
		var header []string
		if c.to != "" {
			header = append(header, "Destination: "+h.root+c.to)
		}
		h.next = c.next
		answer, err := client.Do(h.s.newRequest(c.method, h.root+c.name, h.token, bytes.NewReader(c.body), header...))
		if err != nil {
			return err
		}
		text, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if answer.StatusCode/100 != 2 {
			return fmt.Errorf("%s %s to %q = %s %s", c.method, c.name, c.to, answer.Status, text)
		}
		h.tree, h.next = c.next, nil // acknowledged, whatever became of the rest
		if err != nil {
			return err
		}
	}
}

// plan is a random request that must succeed.
func (h *hand) plan() change {
	entries := slices.Sorted(maps.Keys(h.tree))
	for {
		switch n := h.rng.IntN(10); {
		case n < 4:
			return h.put()
		case n == 4:
			if name := fmt.Sprintf("d%d", h.rng.IntN(3)); h.tree[name] == "" {
				next := maps.Clone(h.tree)
				next[name] = collection
				return change{method: "MKCOL", name: name, next: next}
			}
		case len(entries) == 0:
		case n == 5:
			name := entries[h.rng.IntN(len(entries))]
			return change{method: "DELETE", name: name, next: h.tree.without(name)}
		default:
			name := entries[h.rng.IntN(len(entries))]
			to := h.place()
			if h.tree[name] == collection {
				to = fmt.Sprintf("d%d", h.rng.IntN(3))
			}
			if to == name {
				continue
			}
			c := change{method: "COPY", name: name, to: to, next: h.tree.with(to, name)}
			if n < 9 {
				c.method, c.next = "MOVE", c.next.without(name)
			}
			return c
		}
	}
}

// place is where a file may be: the collections are there, and no name of a
// file is ever one of a collection.
func (h *hand) place() string {
	name := fmt.Sprintf("f%d", h.rng.IntN(4))
	if dir := fmt.Sprintf("d%d", h.rng.IntN(3)); h.tree[dir] != "" {
		return dir + "/" + name
	}
	return name
}

// put writes a file: nothing, in the database or beside it.
func (h *hand) put() change {
	size := []int{0, 2_000, 16 << 10, 200_000}[h.rng.IntN(4)]
	if size > 0 {
		size = 1 + h.rng.IntN(size)
	}
	c := change{method: "PUT", name: h.place(), body: random(h.rng.Uint64(), size), next: maps.Clone(h.tree)}
	c.next[c.name] = digest(c.body)
	return c
}

// settle reads what there is, which must be what was acknowledged, with or
// without the request that got no answer.
func (h *hand) settle() error {
	got, err := h.read()
	if err != nil {
		return err
	}
	if !cmp.Equal(got, h.tree) && (h.next == nil || !cmp.Equal(got, h.next)) {
		return fmt.Errorf("%s differs from what was acknowledged (-want +got):\n%sand with the request cut off:\n%s",
			h.root, cmp.Diff(h.tree, got), cmp.Diff(h.next, got))
	}
	h.tree, h.next = got, nil
	return nil
}

// read is what the server shows.
func (h *hand) read() (tree, error) {
	found := tree{}
	dirs := []string{""}
	for len(dirs) > 0 {
		dir := dirs[0]
		dirs = dirs[1:]
		entries, err := h.list(dir)
		if err != nil {
			return nil, err
		}
		for name, isDir := range entries {
			if isDir {
				found[name] = collection
				dirs = append(dirs, name)
				continue
			}
			content, err := h.ask("GET", name, http.StatusOK)
			if err != nil {
				return nil, err
			}
			found[name] = digest(content)
		}
	}
	return found, nil
}

// list is what a collection holds; true marks collections.
func (h *hand) list(dir string) (map[string]bool, error) {
	text, err := h.ask("PROPFIND", dir, http.StatusMultiStatus)
	if err != nil {
		return nil, err
	}
	var m struct {
		Responses []struct {
			Href       string    `xml:"DAV: href"`
			Collection *struct{} `xml:"propstat>prop>resourcetype>collection"`
		} `xml:"DAV: response"`
	}
	if err := xml.Unmarshal(text, &m); err != nil {
		return nil, err
	}
	entries := map[string]bool{}
	for _, r := range m.Responses {
		u, err := url.Parse(r.Href)
		if err != nil {
			return nil, err
		}
		name := strings.TrimPrefix(path.Clean(u.Path), path.Clean(h.root))
		if name = strings.TrimPrefix(name, "/"); name != dir {
			entries[name] = r.Collection != nil
		}
	}
	return entries, nil
}

func (h *hand) ask(method, name string, want int) ([]byte, error) {
	answer, err := h.s.client.Do(h.s.newRequest(method, h.root+name, h.token, nil, "Depth: 1"))
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != want {
		err = fmt.Errorf("%s %s%s = %s %s", method, h.root, name, answer.Status, text)
	}
	return text, err
}
