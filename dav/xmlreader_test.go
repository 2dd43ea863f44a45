package dav

import (
	"encoding/xml"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"varve/layers"
)

const deep = 32

func TestParsePropfind(t *testing.T) {
	name := func(space, local string) xml.Name { return xml.Name{Space: space, Local: local} }
	for in, want := range map[string]asked{
		"":       {all: true},
		" \r\n ": {all: true},
		`<propfind xmlns="DAV:"><allprop/></propfind>`:                                                     {all: true},
		"\ufeff" + `<?xml version="1.0" encoding="UTF-8"?><propfind xmlns="DAV:"><propname/></propfind>`:   {names: true},
		`<a:propfind xmlns:a="DAV:"><a:prop><a:getetag/><b xmlns="x"/><c xmlns=""/></a:prop></a:propfind>`: {props: []xml.Name{name("DAV:", "getetag"), name("x", "b"), name("", "c")}},
		`<propfind xmlns="DAV:"><allprop/><include><getetag/></include></propfind>`:                        {all: true, props: []xml.Name{name("DAV:", "getetag")}},
		`<propfind xmlns="DAV:"><!-- x --><e:new xmlns:e="e"><e:er/></e:new><allprop/></propfind><!---->`:  {all: true},
	} {
		got, err := parsePropfind([]byte(in), deep)
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(asked{})); err != nil || diff != "" {
			t.Errorf("parsePropfind(%q): %v\n%s", in, err, diff)
		}
	}
}

// malformed is XML that no parser of ours takes.
var malformed = []string{
	`<`, `x`, `<propfind`, `<propfind xmlns="DAV:">`, `<propfind xmlns="DAV:"></x>`,
	`<propfind xmlns="DAV:"><prop></propfind></prop>`, `<p:propfind/>`, `<propfind xmlns="DAV:"/>x`,
	`<propfind xmlns="DAV:"><prop><bar:foo xmlns:bar=""/></prop></propfind>`,
	`<propfind xmlns="DAV:"><prop><foo q:a=""/></prop></propfind>`,
	`<propfind xmlns="DAV:"><allprop/></propfind><propfind xmlns="DAV:"><allprop/></propfind>`,
	`<!DOCTYPE propfind [<!ENTITY a "aaaa">]><propfind xmlns="DAV:"><prop><x>&a;</x></prop></propfind>`,
	`<propfind xmlns="DAV:"><!DOCTYPE x><allprop/></propfind>`,
	`<propfind xmlns="DAV:"><prop>&undefined;</prop></propfind>`,
	`<?xml version="1.0" encoding="EBCDIC"?><propfind xmlns="DAV:"><allprop/></propfind>`,
	strings.Repeat(`<a xmlns="DAV:">`, 33) + strings.Repeat(`</a>`, 33),
	`<propfind xmlns="DAV:">` + strings.Repeat("<x>", 1000),
	`<propfind xmlns="DAV:"` + strings.Repeat(` a=""`, 1000) + `><allprop/></propfind>`,
	`<propfind xmlns="DAV:">` +
		strings.Repeat(`<a`+strings.Repeat(` xmlns:a="b"`, 60)+`>`, 5) + strings.Repeat(`</a>`, 5) + `</propfind>`,
	"<propfind xmlns=\"DAV:\"><prop>\x00</prop></propfind>", "<propfind xmlns=\"DAV:\"><prop>\xff</prop></propfind>",
}

func TestParsersRefuse(t *testing.T) {
	for _, in := range append(malformed, `<propfind xmlns="DAV:"/>`, `<propfind/>`,
		`<propfind xmlns="DAV:"><allprop/><propname/></propfind>`, `<lockinfo xmlns="DAV:"/>`,
		`<lockinfo xmlns="DAV:"><lockscope><shared/></lockscope></lockinfo>`,
		`<lockinfo xmlns="DAV:"><lockscope><no/></lockscope><locktype><write/></locktype></lockinfo>`,
		`<propertyupdate xmlns="DAV:"/>`, `<mkcol/>`,
		`<propertyupdate xmlns="DAV:" xmlns:p="`+strings.Repeat("u", 1000)+`"><set><prop><x>`+strings.Repeat("<p:q/>", 10_000)+`</x></prop></set></propertyupdate>`,
		`<propfind xmlns="DAV:"><prop xmlns:p="`+strings.Repeat("u", 1000)+`">`+strings.Repeat("<p:q/>", 100)+`</prop></propfind>`,
		`<propfind xmlns="DAV:"><prop>`+strings.Repeat("<x/>", 1000)+`</prop></propfind>`) {
		_, propfind := parsePropfind([]byte(in), deep)
		_, update := parsePropertyUpdate([]byte(in), deep)
		_, mkcol := parseMkcol([]byte(in), deep)
		_, lock := parseLockInfo([]byte(in), deep)
		for _, err := range []error{propfind, update, mkcol, lock} {
			if refused := new(refusal); !errors.As(err, &refused) || refused.status/100 != 4 {
				t.Errorf("%.200q is taken, or not refused by 4xx: %v", in, err)
			}
		}
	}
}

func TestParsePropertyUpdate(t *testing.T) {
	in := `<?xml version="1.0"?><D:propertyupdate xmlns:D="DAV:" xmlns:z="zed" xml:lang="de">
		<D:set><D:prop><z:a>x<z:b q="&quot;&#10;"/>&lt;&amp;</z:a><D:c xml:lang="en"><!-- no --><i xmlns="in"><j/></i></D:c></D:prop></D:set>
		<D:remove><D:prop><none xmlns=""/></D:prop><D:prop><z:d/></D:prop></D:remove></D:propertyupdate>`
	prop := func(space, local, lang, value string) layers.PropPatch {
		return layers.PropPatch{Prop: layers.Prop{Space: space, Local: local, Lang: lang, Value: value}}
	}
	want := []layers.PropPatch{
		prop("zed", "a", "de", `x<z:b q="&quot;&#xA;" xmlns:z="zed"></z:b>&lt;&amp;`),
		prop("DAV:", "c", "en", `<i xmlns="in"><j></j></i>`),
		prop("", "none", "de", ""),
		prop("zed", "d", "de", ""),
	}
	want[2].Remove, want[3].Remove = true, true
	got, err := parsePropertyUpdate([]byte(in), deep)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("parsePropertyUpdate: %v\n%s", err, diff)
	}
}

func TestParseLockInfo(t *testing.T) {
	in := `<l:lockinfo xmlns:l="DAV:"><l:locktype><l:write/></l:locktype><l:lockscope><l:shared/></l:lockscope><l:owner> <l:href>me</l:href> </l:owner></l:lockinfo>`
	want := lockInfo{shared: true, owner: `<l:href xmlns:l="DAV:">me</l:href>`}
	if got, err := parseLockInfo([]byte(in), deep); err != nil || got != want {
		t.Errorf("parseLockInfo = %+v, %v, want %+v", got, err, want)
	}
}

func TestPlainCollection(t *testing.T) {
	for value, want := range map[string]bool{
		`<D:collection/>`: true, ``: false, `<D:collection/><c xmlns="x"/>`: false, `<collection/>`: false,
		`<c xmlns="DAV:"/>`: false, `</D:r>`: false,
	} {
		if got := plainCollection(value); got != want {
			t.Errorf("plainCollection(%q) = %v, want %v", value, got, want)
		}
	}
}

// refused tells whether err is what a parser may return: nothing, or a 4xx.
func refused(err error) bool {
	r := new(refusal)
	return err == nil || errors.As(err, &r) && r.status/100 == 4
}

// standalone checks that an inner XML makes sense by itself, as part of answers.
func standalone(t *testing.T, inner string) {
	t.Helper()
	wrapped := string(appendProp(appendRoot(nil, "prop"), "some:space", "x", "", inner)) + "</D:prop>"
	d := xml.NewDecoder(strings.NewReader(wrapped))
	for {
		tok, err := d.Token()
		if tok == nil {
			if err.Error() != "EOF" {
				t.Errorf("%q in an answer: %v", inner, err)
			}
			return
		}
	}
}

func FuzzPropfindBody(f *testing.F) {
	f.Add([]byte(`<propfind xmlns="DAV:"><allprop/><include><a xmlns="b"/></include></propfind>`))
	f.Add([]byte(`<a:propfind xmlns:a="DAV:"><a:prop><a:b/></a:prop></a:propfind>`))
	for _, s := range malformed {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		a, err := parsePropfind(body, deep)
		if !refused(err) {
			t.Fatalf("parsePropfind(%q): %v", body, err)
		}
		for _, n := range a.props {
			standalone(t, string(appendProp(nil, n.Space, n.Local, "", "")))
		}
	})
}

func FuzzProppatchBody(f *testing.F) {
	f.Add([]byte(`<D:propertyupdate xmlns:D="DAV:" xmlns:z="zed" xml:lang="de"><D:set><D:prop><z:a>x<z:b q="&quot;&#10;"/></z:a></D:prop></D:set></D:propertyupdate>`))
	f.Add([]byte(`<mkcol xmlns="DAV:"><set><prop><resourcetype><collection/></resourcetype></prop></set></mkcol>`))
	for _, s := range malformed {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		patch, err := parsePropertyUpdate(body, deep)
		if !refused(err) {
			t.Fatalf("parsePropertyUpdate(%q): %v", body, err)
		}
		more, err := parseMkcol(body, deep)
		if !refused(err) {
			t.Fatalf("parseMkcol(%q): %v", body, err)
		}
		for _, p := range append(patch, more...) {
			standalone(t, string(appendProp(nil, p.Space, p.Local, p.Lang, p.Value)))
		}
	})
}

func FuzzLockBody(f *testing.F) {
	f.Add([]byte(`<l:lockinfo xmlns:l="DAV:"><l:locktype><l:write/></l:locktype><l:lockscope><l:shared/></l:lockscope><l:owner><l:href>me</l:href></l:owner></l:lockinfo>`))
	for _, s := range malformed {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		info, err := parseLockInfo(body, deep)
		if !refused(err) {
			t.Fatalf("parseLockInfo(%q): %v", body, err)
		}
		standalone(t, info.owner)
	})
}
