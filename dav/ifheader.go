package dav

import (
	"net/http"
	"strings"

	"varve/layers"
)

// ifList is one list of an If header, before its tag is looked up.
type ifList struct {
	tag   string // the Resource-Tag in force, "" before the first
	terms []layers.IfTerm
}

// errIf refuses an If header that does not parse. Taking it for absent would
// lose the very thing that guards the write.
var errIf = bad("the If header does not parse (RFC 4918, section 10.4)")

// maxIfLists bounds the lists of an If header: each that is tagged costs a look
// into the store.
const maxIfLists = 100

// parseIf reads an If header (RFC 4918, section 10.4.2) in one pass.
func parseIf(s string) ([]ifList, error) {
	var (
		lists  []ifList
		tag    string
		tagged bool // a tag stands before the next list and has none yet
	)
	for s = trimSpace(s); s != ""; s = trimSpace(s) {
		switch s[0] {
		case '<':
			uri, rest, ok := cutQuoted(s, '<', '>')
			// Tags come first and each has a list; lists without a tag stand alone.
			if !ok || uri == "" || tagged || len(lists) > 0 && tag == "" {
				return nil, errIf
			}
			tag, tagged, s = uri, true, rest
		case '(':
			terms, rest, err := parseIfList(s[1:])
			if err != nil {
				return nil, err
			}
			if len(lists) == maxIfLists {
				return nil, errIf
			}
			lists, tagged, s = append(lists, ifList{tag, terms}), false, rest
		default:
			return nil, errIf
		}
	}
	if len(lists) == 0 || tagged {
		return nil, errIf
	}
	return lists, nil
}

// parseIfList reads terms up to the closing parenthesis.
func parseIfList(s string) (terms []layers.IfTerm, rest string, err error) {
	for {
		s = trimSpace(s)
		if s != "" && s[0] == ')' {
			if len(terms) == 0 {
				return nil, "", errIf
			}
			return terms, s[1:], nil
		}
		var t layers.IfTerm
		if len(s) >= 3 && strings.EqualFold(s[:3], "not") {
			t.Not, s = true, trimSpace(s[3:])
		}
		var ok bool
		switch {
		case strings.HasPrefix(s, "<"):
			t.Token, s, ok = cutQuoted(s, '<', '>')
			ok = ok && t.Token != ""
		case strings.HasPrefix(s, "["):
			t.ETag, s, ok = cutETag(s[1:])
		}
		if !ok {
			return nil, "", errIf
		}
		terms = append(terms, t)
	}
}

// cutQuoted splits "<uri>rest". A URI holds neither brackets nor spaces.
func cutQuoted(s string, open, end byte) (inside, rest string, ok bool) {
	if s == "" || s[0] != open {
		return "", s, false
	}
	i := strings.IndexByte(s, end)
	if i < 0 || strings.ContainsAny(s[1:i], " \t<") {
		return "", s, false
	}
	return s[1:i], s[i+1:], true
}

// cutETag splits `"tag"]rest`. What is quoted may hold a bracket.
func cutETag(s string) (tag, rest string, ok bool) {
	s = trimSpace(s)
	opaque, weak := strings.CutPrefix(s, "W/")
	if !strings.HasPrefix(opaque, `"`) {
		return "", s, false
	}
	end := strings.IndexByte(opaque[1:], '"')
	if end < 0 {
		return "", s, false
	}
	n := end + 2
	if weak {
		n += 2
	}
	rest, ok = strings.CutPrefix(trimSpace(s[n:]), "]")
	return s[:n], rest, ok
}

// trimSpace drops leading linear white space.
func trimSpace(s string) string { return strings.TrimLeft(s, " \t\r\n") }

// cond collects the conditions of a request to t: RFC 9110, section 13, and RFC
// 4918, section 10.4. The View judges them.
func (h *Handler) cond(r *http.Request, t target) (layers.Cond, error) {
	c := layers.Cond{
		IfMatch:     parseETags(r.Header.Values("If-Match")),
		IfNoneMatch: parseETags(r.Header.Values("If-None-Match")),
	}
	if since := r.Header.Get("If-Unmodified-Since"); since != "" && c.IfMatch == nil {
		// A date that does not parse counts as absent (section 13.1.4).
		c.IfUnmodifiedSince, _ = http.ParseTime(since)
	}
	values := r.Header.Values("If")
	if len(values) == 0 {
		return c, nil
	}
	lists, err := parseIf(strings.Join(values, " "))
	if err != nil {
		return c, err
	}
	for _, l := range lists {
		c.If = append(c.If, h.ifList(r, t, l))
		for _, term := range l.terms {
			if term.Token != "" {
				c.Tokens = append(c.Tokens, term.Token)
			}
		}
	}
	return c, nil
}

// ifList looks up the tag of a list. What is not served here, or cannot be a
// name here, is a resource without tokens or tags.
func (h *Handler) ifList(r *http.Request, t target, l ifList) layers.IfList {
	out := layers.IfList{Terms: l.terms}
	if l.tag == "" {
		return out
	}
	tagged, served, err := h.locate(r, l.tag)
	if err != nil || !served || tagged.view == nil {
		out.Foreign = true
		return out
	}
	out.Name = tagged.name
	if t.view == nil || !tagged.view.Same(t.view) {
		out.View = tagged.view
	}
	return out
}

// parseETags reads If-Match or If-None-Match: nil when absent, never nil when
// present. Old Microsoft clients send tags without their quotes.
func parseETags(values []string) []string {
	if len(values) == 0 {
		return nil
	}
	tags := []string{}
	for s := range strings.SplitSeq(strings.Join(values, ","), ",") {
		switch s = strings.TrimSpace(s); {
		case s == "":
		case s == "*", strings.HasPrefix(s, `"`), strings.HasPrefix(s, "W/"):
			tags = append(tags, s)
		default:
			tags = append(tags, `"`+s+`"`)
		}
	}
	return tags
}
