package web

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"hash/adler32"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"

	"varve/layers"
)

// condition reads the conditions of RFC 9110, section 13.1, that guard a write.
func condition(h http.Header) (layers.Cond, error) {
	var c layers.Cond
	var err error
	if c.IfMatch, err = entityTags(h, "If-Match"); err != nil {
		return c, err
	}
	if c.IfNoneMatch, err = entityTags(h, "If-None-Match"); err != nil {
		return c, err
	}
	// An unreadable date is ignored, and If-Match beats it (section 13.1.4).
	if t, err := http.ParseTime(h.Get("If-Unmodified-Since")); err == nil && c.IfMatch == nil {
		c.IfUnmodifiedSince = t
	}
	return c, nil
}

// entityTags reads a list of entity tags, or "*"; nil if the header is absent.
// A tag must be quoted: a condition that cannot be read must not be passed over.
func entityTags(h http.Header, name string) ([]string, error) {
	values, ok := h[name]
	if !ok {
		return nil, nil
	}
	rest := strings.TrimSpace(strings.Join(values, ","))
	if rest == "*" {
		return []string{"*"}, nil
	}
	tags := []string{}
	for rest != "" {
		if rest[0] == ',' {
			rest = strings.TrimLeft(rest[1:], ", \t")
			continue
		}
		weak, quoted := "", rest
		if strings.HasPrefix(rest, "W/") {
			weak, quoted = "W/", rest[2:]
		}
		if !strings.HasPrefix(quoted, `"`) {
			return nil, badInput("header."+name, "want entity tags in quotes, or *")
		}
		end := strings.IndexByte(quoted[1:], '"') + 2
		after := ""
		if end > 1 {
			after = strings.TrimLeft(quoted[end:], " \t")
		}
		if end < 2 || after != "" && after[0] != ',' {
			return nil, badInput("header."+name, "want entity tags in quotes, or *")
		}
		tags = append(tags, weak+quoted[:end])
		rest = after
	}
	return tags, nil
}

// digestSizes are the algorithms a body is checked by, and the length of their sums in bytes.
func digestSizes() map[string]int {
	return map[string]int{
		"sha-256": sha256.Size, "sha-512": sha512.Size, "sha": sha1.Size, "md5": md5.Size, "adler32": adler32.Size,
	}
}

// digests collects every checksum a client claims for a body: Content-Digest and
// Repr-Digest (RFC 9530), Content-MD5, and ownCloud's OC-Checksum. Algorithms
// unknown here are passed over, as RFC 9530 has it; one that is known but does not parse is refused.
func digests(h http.Header) ([]layers.Digest, error) {
	var all []layers.Digest
	for _, name := range []string{"Content-Digest", "Repr-Digest"} {
		for member := range strings.SplitSeq(strings.Join(h.Values(name), ","), ",") {
			algorithm, value, _ := strings.Cut(strings.TrimSpace(member), "=")
			inner, ok := strings.CutPrefix(strings.TrimSpace(value), ":")
			inner, ok2 := strings.CutSuffix(inner, ":")
			sum, err := base64.StdEncoding.DecodeString(inner)
			if all, err = claim(all, algorithm, sum, err == nil && ok && ok2, name); err != nil {
				return nil, err
			}
		}
	}
	if v := h.Get("Content-MD5"); v != "" {
		sum, err := base64.StdEncoding.DecodeString(v)
		if all, err = claim(all, "md5", sum, err == nil, "Content-MD5"); err != nil {
			return nil, err
		}
	}
	for _, member := range strings.Fields(h.Get("OC-Checksum")) {
		algorithm, value, _ := strings.Cut(member, ":")
		if strings.EqualFold(algorithm, "sha1") {
			algorithm = "sha"
		}
		sum, err := hex.DecodeString(value)
		if all, err = claim(all, algorithm, sum, err == nil, "OC-Checksum"); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// claim appends one checksum.
func claim(all []layers.Digest, algorithm string, sum []byte, parsed bool, header string) ([]layers.Digest, error) {
	algorithm = strings.ToLower(algorithm)
	size, ok := digestSizes()[algorithm]
	if !ok {
		return all, nil
	}
	if !parsed || len(sum) != size {
		return nil, badInput("header."+header, "not a "+algorithm+" sum")
	}
	return append(all, layers.Digest{Algorithm: algorithm, Sum: sum}), nil
}

// putOptions reads what a PUT says of its body, and refuses bodies of which one
// could not say whether they are whole.
func putOptions(r *http.Request) (opts layers.PutOptions, err error) {
	switch h := r.Header; {
	case h.Get("Content-Range") != "":
		return opts, errPartial
	case !identity(h.Get("Content-Encoding")):
		return opts, errEncoded
	case !r.ProtoAtLeast(1, 1) && h.Get("Content-Length") == "":
		return opts, errNoLength // net/http takes it for a body of no bytes
	}
	opts = layers.PutOptions{Body: received{r.Body}, Length: r.ContentLength, Type: statedType(r.Header.Get("Content-Type"))}
	if opts.Length, err = announced(r); err != nil {
		return opts, err
	}
	if opts.Mtime, err = statedTime(r.Header.Get("X-OC-Mtime")); err != nil {
		return opts, err
	}
	if opts.Digests, err = digests(r.Header); err != nil {
		return opts, err
	}
	opts.Cond, err = condition(r.Header)
	return opts, err
}

// announced is how long a body says it is, or -1. Finder sends chunks and says the
// length in X-Expected-Entity-Length.
func announced(r *http.Request) (int64, error) {
	stated := r.Header.Get("X-Expected-Entity-Length")
	if stated == "" {
		return r.ContentLength, nil
	}
	n, err := strconv.ParseInt(stated, 10, 64)
	if err != nil || n < 0 {
		return 0, badInput("header.X-Expected-Entity-Length", "want a number of bytes")
	}
	if r.ContentLength >= 0 && r.ContentLength != n {
		return 0, layers.ErrShort
	}
	return n, nil
}

// statedTime reads the modification time a client states: seconds since 1970.
func statedTime(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	whole, _, _ := strings.Cut(s, ".")
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || n < 0 || n > 253402300799 { // the year 9999
		return time.Time{}, badInput("header.X-OC-Mtime", "want seconds since 1970")
	}
	return time.Unix(n, 0).UTC(), nil
}

// identity tells whether a Content-Encoding leaves bytes as they are.
func identity(encoding string) bool {
	return encoding == "" || strings.EqualFold(encoding, "identity")
}

// statedType is the media type a client gives a file, if it says anything:
// what HTTP libraries fill in by themselves does not.
func statedType(header string) string {
	t, params, err := mime.ParseMediaType(header)
	switch t {
	case "", "application/octet-stream", "application/x-www-form-urlencoded":
		return ""
	}
	if err != nil || len(header) > 255 {
		return ""
	}
	return mime.FormatMediaType(t, params)
}

// mediaType is what a file is served as.
func mediaType(e layers.Entry) string {
	if e.Version.Type != "" {
		return e.Version.Type
	}
	if t := mime.TypeByExtension(strings.ToLower(path.Ext(e.Name))); t != "" {
		return t
	}
	return "application/octet-stream"
}
