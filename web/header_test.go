package web

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"varve/layers"
)

func TestEntityTags(t *testing.T) {
	for _, tt := range []struct {
		values []string
		want   []string
		ok     bool
	}{
		{nil, nil, true},
		{[]string{"*"}, []string{"*"}, true},
		{[]string{` * `}, []string{"*"}, true},
		{[]string{`"a"`}, []string{`"a"`}, true},
		{[]string{`W/"a", "b,c" ,"d"`}, []string{`W/"a"`, `"b,c"`, `"d"`}, true},
		{[]string{`"a"`, `"b"`}, []string{`"a"`, `"b"`}, true},
		{[]string{`, ,"a",`}, []string{`"a"`}, true},
		{[]string{`""`}, []string{`""`}, true},
		{[]string{""}, []string{}, true}, // present and empty: no tag matches
		{[]string{`a`}, nil, false},
		{[]string{`"a`}, nil, false},
		{[]string{`"`}, nil, false},
		{[]string{`W/a`}, nil, false},
		{[]string{`w/"a"`}, nil, false},
		{[]string{`"a" "b"`}, nil, false},
		{[]string{`"a", *`}, nil, false},
	} {
		h := http.Header{}
		if tt.values != nil {
			h["If-Match"] = tt.values
		}
		got, err := entityTags(h, "If-Match")
		if diff := cmp.Diff(tt.want, got); diff != "" || (err == nil) != tt.ok {
			t.Errorf("entityTags(%q): error %v (-want +got):\n%s", tt.values, err, diff)
		}
	}
}

func TestDigests(t *testing.T) {
	abc := "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0="
	for _, tt := range []struct {
		header, value string
		want          []string // algorithms
		ok            bool
	}{
		{"Repr-Digest", "sha-256=:" + abc + ":", []string{"sha-256"}, true},
		{"Content-Digest", "SHA-256=:" + abc + ": , unixsum=:AA==:", []string{"sha-256"}, true},
		{"Content-Digest", "crc32c=garbage", nil, true},
		{"Repr-Digest", "sha-256=" + abc, nil, false},
		{"Repr-Digest", "sha-256=:" + abc, nil, false},
		{"Repr-Digest", "sha-512=:" + abc + ":", nil, false},
		{"Content-MD5", "1B2M2Y8AsgTpgAmY7PhCfg==", []string{"md5"}, true},
		{"Content-MD5", "1B2M", nil, false},
		{"OC-Checksum", "SHA1:a9993e364706816aba3e25717850c26c9cd0d89d MD5:900150983cd24fb0d6963f7d28e17f72 ADLER32:024d0127", []string{"sha", "md5", "adler32"}, true},
		{"OC-Checksum", "sha1:a999", nil, false},
	} {
		got, err := digests(http.Header{http.CanonicalHeaderKey(tt.header): {tt.value}})
		var names []string
		for _, d := range got {
			names = append(names, d.Algorithm)
		}
		if diff := cmp.Diff(tt.want, names); diff != "" || (err == nil) != tt.ok {
			t.Errorf("digests(%s: %s): error %v (-want +got):\n%s", tt.header, tt.value, err, diff)
		}
	}
}

func TestStatedType(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "text/plain": "text/plain", "Text/HTML; Charset=utf-8": "text/html; charset=utf-8",
		"application/octet-stream": "", "application/x-www-form-urlencoded": "", "garbage": "garbage", "a/b; c": "", "\r\n": "",
		"text/plain; x=" + strings.Repeat("y", 300): "",
	} {
		if got := statedType(in); got != want {
			t.Errorf("statedType(%q): got %q, want %q", in, got, want)
		}
	}
}

func TestDuration(t *testing.T) {
	for in, want := range map[string]time.Duration{"": 0, "1s": time.Second, "90m": 90 * time.Minute, "12h": 12 * time.Hour, "99999d": 99999 * 24 * time.Hour} {
		if got := duration(in); got != want {
			t.Errorf("duration(%q): got %v, want %v", in, got, want)
		}
	}
}

// FuzzEntityTags: what is accepted is quoted, in order, and nothing else is.
func FuzzEntityTags(f *testing.F) {
	for _, s := range []string{`*`, `"a"`, `W/"a", "b"`, `"a`, `,`, `"a" b`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		tags, err := entityTags(http.Header{"If-Match": {s}}, "If-Match")
		if err != nil {
			return
		}
		for _, tag := range tags {
			if q := strings.TrimPrefix(tag, "W/"); tag != "*" && (len(q) < 2 || q[0] != '"' || strings.IndexByte(q[1:], '"') != len(q)-2) {
				t.Errorf("entityTags(%q): tag %q", s, tag)
			}
			if !strings.Contains(s, tag) {
				t.Errorf("entityTags(%q): tag %q is not in it", s, tag)
			}
		}
	})
}

// FuzzDigests: whatever is claimed, a sum has its algorithm's length.
func FuzzDigests(f *testing.F) {
	f.Add("sha-256=:ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=:", "SHA1:a9993e364706816aba3e25717850c26c9cd0d89d", "1B2M2Y8AsgTpgAmY7PhCfg==")
	f.Fuzz(func(t *testing.T, repr, oc, md5 string) {
		got, err := digests(http.Header{"Repr-Digest": {repr}, "Oc-Checksum": {oc}, "Content-Md5": {md5}})
		if err != nil {
			return
		}
		for _, d := range got {
			if len(d.Sum) != digestSizes()[d.Algorithm] || len(d.Sum) == 0 {
				t.Errorf("digests(%q, %q, %q): %+v", repr, oc, md5, d)
			}
		}
	})
}

// FuzzDispatch: a path has one route at most, its wildcards hold what the path
// said, and none that takes one element gets a slash.
func FuzzDispatch(f *testing.F) {
	s := &Server{limits: layers.Limits{NamePart: 255, Name: 4096}}
	if err := s.mountAll(); err != nil {
		f.Fatal(err)
	}
	for _, path := range []string{
		"/", "/api/sessions", "/api/sessions/x", "/api/sessions/x/files/a/b", "/api/shared/files/", "/api/home/files", "//api/uploads",
		"/api/uploads/../x", "/api/sessions//files/a", "*", "", "/app/x", "/api/tokens/a/b",
	} {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		seen := map[string]string{}
		for i := range s.table {
			m := &s.table[i]
			values, ok := m.values(path)
			if !ok {
				continue
			}
			pattern := "/" + strings.Join(m.pattern, "/")
			if other, twice := seen[m.method]; twice {
				t.Errorf("%q is both %s and %s", path, other, pattern)
			}
			seen[m.method] = pattern
			rebuilt := pattern
			for _, v := range values {
				if strings.HasSuffix(pattern, "{"+v[0]+"...}") {
					rebuilt = strings.TrimSuffix(rebuilt, "{"+v[0]+"...}") + v[1]
				} else {
					if v[1] == "" || strings.Contains(v[1], "/") {
						t.Errorf("%q: %s is %q", path, v[0], v[1])
					}
					rebuilt = strings.Replace(rebuilt, "{"+v[0]+"}", v[1], 1)
				}
			}
			if rebuilt != path {
				t.Errorf("%q matches %s with %q, which is %q", path, pattern, values, rebuilt)
			}
		}
	})
}
