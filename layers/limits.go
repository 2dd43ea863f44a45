package layers

import (
	"cmp"
	"io/fs"
	"path"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Limits are all limits of the server. The zero value of a field means its default.
type Limits struct {
	NamePart     int           // bytes of one name element; default 255
	Name         int           // bytes of a whole name; default 4096
	Upload       int64         // bytes of one file; default none
	Quota        int64         // bytes counted to one account; default none
	Store        int64         // physical bytes of all content; default none
	XMLBody      int64         // bytes of a PROPFIND, LOCK, MKCOL body; default 64 KiB
	PatchBody    int64         // bytes of a PROPPATCH body; default 1 MiB
	XMLDepth     int           // nesting of a body; default 32
	Props        int           // bytes of all dead properties of an entry; default 1 MiB
	InfiniteList int           // entries of a PROPFIND of Depth infinity; default 0: refused
	LockTimeout  time.Duration // longest lock, and the one given when none is asked for; default 1 h
	Locks        int           // locks one account may hold in a tree; default 10,000
	Page         int           // entries of one page of a JSON listing; default 1,000
	JSONBody     int64         // bytes of a JSON request body; default 1 MiB
}

// withDefaults fills in what is zero.
func (l Limits) withDefaults() Limits {
	l.NamePart = cmp.Or(l.NamePart, 255)
	l.Name = cmp.Or(l.Name, 4096)
	l.XMLBody = cmp.Or(l.XMLBody, 64<<10)
	l.PatchBody = cmp.Or(l.PatchBody, 1<<20)
	l.XMLDepth = cmp.Or(l.XMLDepth, 32)
	l.Props = cmp.Or(l.Props, 1<<20)
	l.LockTimeout = cmp.Or(l.LockTimeout, time.Hour)
	l.Locks = cmp.Or(l.Locks, 10_000)
	l.Page = cmp.Or(l.Page, 1_000)
	l.JSONBody = cmp.Or(l.JSONBody, 1<<20)
	return l
}

// Clean turns a decoded URL path or an API name into a name in key form:
// slashes collapsed, "." and ".." resolved without ever leaving the root, NFC.
// spelled is the same path before NFC. It refuses what no name may hold:
// fs.ErrInvalid (control characters, a backslash, invalid UTF-8),
// ErrNameTooLong.
//
// A backslash is refused, not kept: Explorer could neither show nor reach it.
func (l Limits) Clean(raw string) (name, spelled string, err error) {
	if !utf8.ValidString(raw) || strings.ContainsFunc(raw, forbidden) {
		return "", "", fs.ErrInvalid
	}
	spelled = strings.TrimPrefix(path.Clean("/"+raw), "/")
	if spelled == "" {
		return ".", ".", nil
	}
	name = norm.NFC.String(spelled)
	if max(len(name), len(spelled)) > l.Name {
		return "", "", ErrNameTooLong
	}
	for part := range strings.SplitSeq(name+"/"+spelled, "/") {
		if len(part) > l.NamePart {
			return "", "", ErrNameTooLong
		}
	}
	return name, spelled, nil
}

// forbidden tells whether no name may hold r.
func forbidden(r rune) bool { return r == '\\' || unicode.IsControl(r) }

// containsControl tells whether s holds a control character.
func containsControl(s string) bool { return strings.ContainsFunc(s, unicode.IsControl) }
