package dav

import (
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"

	"varve/layers"
)

// sandbox keeps what users stored from acting in our origin when a browser is
// pointed straight at it.
const sandbox = "sandbox; default-src 'none'"

// get serves a file's content, or a plain listing of a collection: Office,
// Cyberduck and webdavclient3 HEAD collections to see whether they are there.
func (h *Handler) get(w http.ResponseWriter, r *http.Request, t target) error {
	open := t.view.Open
	if r.Method == http.MethodHead {
		open = t.view.Describe
	}
	f, err := open(r.Context(), t.name)
	if err != nil {
		return err
	}
	defer f.Close()
	if f.IsDir() {
		return h.getCollection(w, r, t)
	}
	header := w.Header()
	header.Set("Content-Type", mediaType(f.Entry))
	header.Set("ETag", f.ETag)
	header.Set("Cache-Control", "private, no-cache")
	header.Set("Content-Security-Policy", sandbox)
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("OC-Checksum", "SHA1:"+hex.EncodeToString(f.Version.Content.SHA1[:]))
	setDigests(header, r, f.Entry)
	// The content itself, not a wrapper: an *os.File goes out by sendfile.
	http.ServeContent(w, r, "", f.Modified, f.Content)
	return nil
}

// setDigests states digests of the file (RFC 9530): Repr-Digest always, and
// Content-Digest when it was asked for and the body is the whole file.
func setDigests(header http.Header, r *http.Request, e layers.Entry) {
	if d := digests(r.Header.Values("Want-Repr-Digest"), e); d != "" {
		header.Set("Repr-Digest", d)
	}
	if want := r.Header.Values("Want-Content-Digest"); want != nil && !partial(r.Header) {
		if d := digests(want, e); d != "" {
			header.Set("Content-Digest", d)
		}
	}
}

// partial tells whether the answer may be less than the whole file.
func partial(header http.Header) bool {
	for _, name := range []string{"Range", "If-None-Match", "If-Modified-Since"} {
		if header.Get(name) != "" {
			return true
		}
	}
	return false
}

// digests is the value of a digest field: SHA-256 unless it is not wanted, and
// SHA-1 if it is.
func digests(want []string, e layers.Entry) string {
	var fields []string
	wanted := wantedDigests(want)
	if weight, asked := wanted["sha-256"]; !asked || weight > 0 {
		fields = append(fields, "sha-256=:"+base64.StdEncoding.EncodeToString(e.Version.Content.Ref[:])+":")
	}
	if wanted["sha"] > 0 {
		fields = append(fields, "sha=:"+base64.StdEncoding.EncodeToString(e.Version.Content.SHA1[:])+":")
	}
	return strings.Join(fields, ", ")
}

// wantedDigests reads a Want-*-Digest field (RFC 9530, section 4).
func wantedDigests(values []string) map[string]int {
	wanted := make(map[string]int)
	for s := range strings.SplitSeq(strings.Join(values, ","), ",") {
		algorithm, weight, _ := strings.Cut(strings.TrimSpace(s), "=")
		if n, err := strconv.Atoi(weight); err == nil {
			wanted[strings.ToLower(algorithm)] = n
		}
	}
	return wanted
}

// getCollection shows what is in a directory.
func (h *Handler) getCollection(w http.ResponseWriter, r *http.Request, t target) error {
	page := listing{policy: h.pagePolicy}
	if r.Method == http.MethodHead {
		page.head(w, r)
		return nil
	}
	l, err := t.view.List(r.Context(), t.name, layers.ListOptions{Entries: true})
	if err != nil {
		return err
	}
	if t.name != "." {
		page.add(h.href(parent(t.path()), true), "..", true, 0, l.Self.Modified)
	}
	for _, e := range l.Entries {
		page.add(h.href(t.path()+"/"+e.Base, e.IsDir()), e.Base, e.IsDir(), e.Size(), e.Modified)
	}
	page.serve(w, r, t.path()+"/")
	return nil
}

// parent is the URL path above p.
func parent(p string) string { return p[:strings.LastIndexByte(p, '/')] }
