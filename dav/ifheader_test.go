package dav

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"varve/layers"
)

func TestParseIf(t *testing.T) {
	token := func(s string) layers.IfTerm { return layers.IfTerm{Token: s} }
	etag := func(s string) layers.IfTerm { return layers.IfTerm{ETag: s} }
	list := func(tag string, terms ...layers.IfTerm) ifList { return ifList{tag, terms} }
	for in, want := range map[string][]ifList{
		`(<urn:a>)`:                  {list("", token("urn:a"))},
		` ( <urn:a>["x"] ) `:         {list("", token("urn:a"), etag(`"x"`))},
		`(<a> ["x"]) (Not <b>)`:      {list("", token("a"), etag(`"x"`)), list("", layers.IfTerm{Not: true, Token: "b"})},
		`(<a> ["x"])(not<b>["y"])`:   {list("", token("a"), etag(`"x"`)), list("", layers.IfTerm{Not: true, Token: "b"}, etag(`"y"`))},
		`(["a]b"] [W/"c"])`:          {list("", etag(`"a]b"`), etag(`W/"c"`))},
		`</x> (<a>) (<b>)`:           {list("/x", token("a")), list("/x", token("b"))},
		`<http://h/x>(<a>)</y>(<b>)`: {list("http://h/x", token("a")), list("/y", token("b"))},
	} {
		got, err := parseIf(in)
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(ifList{})); err != nil || diff != "" {
			t.Errorf("parseIf(%q): %v\n%s", in, err, diff)
		}
	}
}

func TestParseIfRefuses(t *testing.T) {
	for _, in := range []string{
		strings.Repeat("(<a>)", maxIfLists+1), ``, ` `, `x`, `()`, `(<a>`, `(<a`, `(<>)`, `(["a)`, `([a])`, `(["a"x])`, `(Not)`, `(Not Not <a>)`, `(<a>)x`,
		`</x>`, `</x> </y> (<a>)`, `</x> (<a>) </y>`, `(<a>) </x> (<b>)`, `(<a b>)`, `(<a<b>)`, `)`, `(<a>))`,
	} {
		if got, err := parseIf(in); !errors.Is(err, errIf) {
			t.Errorf("parseIf(%q) = %v, %v, want %v", in, got, err, errIf)
		}
	}
}

func FuzzIfHeader(f *testing.F) {
	for _, s := range []string{`(<urn:a>)`, `(<a> ["x"]) (Not <b> [W/"y"])`, `</x> (<a>) (<b>) <http://h/y> (Not ["z"])`, `((((`, `<<<<`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		lists, err := parseIf(s)
		if err != nil {
			if lists != nil || !errors.Is(err, errIf) {
				t.Errorf("parseIf(%q) = %v, %v", s, lists, err)
			}
			return
		}
		// What was read means the same when it is written again.
		again, err := parseIf(formatIf(lists))
		if diff := cmp.Diff(lists, again, cmp.AllowUnexported(ifList{})); err != nil || diff != "" {
			t.Errorf("parseIf(formatIf(%q)): %v\n%s", s, err, diff)
		}
	})
}

// formatIf writes an If header.
func formatIf(lists []ifList) string {
	var s, tag string
	for _, l := range lists {
		if l.tag != tag {
			tag = l.tag
			s += "<" + tag + ">"
		}
		s += "("
		for _, term := range l.terms {
			if term.Not {
				s += "Not "
			}
			if term.Token != "" {
				s += "<" + term.Token + ">"
			} else {
				s += "[" + term.ETag + "]"
			}
		}
		s += ")"
	}
	return s
}
