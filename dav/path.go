package dav

import (
	"cmp"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"path"
	"strings"

	"varve/layers"
)

// kind says what sort of root a URL lies below.
type kind uint8

const (
	rootList    kind = iota // "/", the list of roots
	sessionList             // "/sessions/", the list of sessions
	homeTree
	sharedTree
	sessionTree
)

// target is what a URL names.
type target struct {
	kind kind
	root string       // the tree's URL path, without a slash at its end
	view *layers.View // nil for the lists of trees
	name string       // in the tree, cleaned, as spelled in the URL
	dir  bool         // the URL ends in a slash
}

// path is the decoded URL path of t, without a slash at its end.
func (t target) path() string { return t.of(t.name) }

// of is the decoded URL path of a name in t's tree.
func (t target) of(name string) string {
	if name == "." {
		return t.root
	}
	return t.root + "/" + name
}

// resolve finds what a decoded URL path names: fs.ErrNotExist below no root of
// ours, fs.ErrInvalid or layers.ErrNameTooLong for what cannot be a path here.
func (h *Handler) resolve(who layers.Caller, urlPath string) (target, error) {
	if urlPath == "*" {
		urlPath = "/" // RFC 9110, section 7.1: OPTIONS of the server itself
	}
	_, spelled, err := h.limits.Clean(urlPath)
	if err != nil {
		return target{}, err
	}
	t := target{dir: strings.HasSuffix(urlPath, "/")}
	root, rest := cutRoot(spelled)
	switch root {
	case "", ".":
		t.kind, t.name = rootList, "."
		return t, nil
	case "dav":
		return h.tree(t, who, homeTree, "/dav", layers.Scope{Kind: layers.Home}, rest), nil
	case "shared":
		return h.tree(t, who, sharedTree, "/shared", layers.Scope{Kind: layers.SharedOnly}, rest), nil
	case "sessions":
		id, rest := cutRoot(rest)
		if id == "" {
			t.kind, t.root, t.name = sessionList, "/sessions", "."
			return t, nil
		}
		scope := layers.Scope{Kind: layers.SessionView, Session: id}
		return h.tree(t, who, sessionTree, "/sessions/"+id, scope, rest), nil
	}
	return target{}, fs.ErrNotExist
}

// tree fills in a target inside a tree.
func (h *Handler) tree(t target, who layers.Caller, k kind, root string, scope layers.Scope, rest string) target {
	t.kind, t.root, t.view, t.name = k, root, h.store.View(who, scope), rest
	if rest == "" {
		t.name = "."
	}
	return t
}

// cutRoot splits off the first element of a path. It is what decides whose a
// URL is, so "/dav/../shared" must be "shared" here as it is to Clean.
func cutRoot(p string) (first, rest string) {
	first, rest, _ = strings.Cut(strings.TrimPrefix(path.Clean("/"+p), "/"), "/")
	return first, rest
}

// locate finds what a URL in a Destination or If header names. served is false
// when it is another server's; RFC 4918 wants an absolute URI or an absolute path
// (section 8.3), and behind a proxy scheme and host are not what we see.
func (h *Handler) locate(r *http.Request, raw string) (t target, served bool, err error) {
	u, err := url.Parse(raw)
	if err != nil || u.Opaque != "" || !strings.HasPrefix(u.Path, "/") {
		return target{}, false, fs.ErrInvalid
	}
	if u.Host != "" && !h.ours(r, u.Host) {
		return target{}, false, nil
	}
	t, err = h.resolve(caller(r), trimPrefix(u.Path, h.prefix))
	return t, true, err
}

// ours tells whether host is this server, to the client of r.
func (h *Handler) ours(r *http.Request, host string) bool {
	host = canonicalHost(host)
	return host == canonicalHost(r.Host) || h.hosts[host]
}

// canonicalHost drops what two spellings of a host may differ in: case, and the
// port when it is the scheme's own. A proxy that ends TLS makes 443 into 80.
func canonicalHost(host string) string {
	host = strings.ToLower(host)
	if name, port, err := net.SplitHostPort(host); err == nil && (port == "80" || port == "443") {
		if strings.Contains(name, ":") {
			return "[" + name + "]"
		}
		return name
	}
	return host
}

// cleanPrefix makes "" or "/files" of what was configured.
func cleanPrefix(p string) string {
	return strings.TrimSuffix(path.Clean("/"+p), "/")
}

// trimPrefix takes prefix off p where it ends at a slash.
func trimPrefix(p, prefix string) string {
	if rest, ok := strings.CutPrefix(p, prefix); ok && (rest == "" || rest[0] == '/') {
		return cmp.Or(rest, "/")
	}
	return p
}

// appendHref escapes a decoded URL path: all but unreserved characters and "/".
// "&" above all, because Finder loses what follows "&amp;" in an element.
func appendHref(b []byte, p string) []byte {
	const hex = "0123456789ABCDEF"
	for i := range len(p) {
		switch c := p[i]; {
		case unreserved(c):
			b = append(b, c)
		default:
			b = append(b, '%', hex[c>>4], hex[c&15])
		}
	}
	return b
}

// unreserved is RFC 3986, section 2.3, and the slash.
func unreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		c == '/' || c == '-' || c == '.' || c == '_' || c == '~'
}

// href is the escaped URL path that clients are to use for p.
func (h *Handler) href(p string, dir bool) string {
	b := appendHref(nil, h.prefix+p)
	if dir {
		b = append(b, '/')
	}
	return string(b)
}
