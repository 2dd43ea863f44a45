package dav_test

import (
	"encoding/xml"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"varve/layers"
)

// varying is what differs from run to run in an answer.
var varying = regexp.MustCompile(`(<D:getlastmodified>|<D:creationdate>|<D:quota-available-bytes>|<V:version>|<V:node>|<O:fileid>|` +
	`<V:origin>|opaquelocktoken:|<D:timeout>|<D:getetag>"d)[^<]*`)

// golden compares an answer with testdata/name; UPDATE_GOLDEN=1 writes it.
func (a answer) golden(name string) {
	a.t.Helper()
	got := varying.ReplaceAllString(a.body, "${1}*")
	got = strings.ReplaceAll(got, "<D:response>", "\n<D:response>") + "\n"
	file := filepath.Join("testdata", name)
	if os.Getenv("UPDATE_GOLDEN") == "1" {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			a.t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		a.t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		a.t.Errorf("%s is not %s:\n%s", a.what, file, diff)
	}
	if err := xml.Unmarshal([]byte(a.body), new(struct{})); err != nil {
		a.t.Errorf("%s: %v", a.what, err)
	}
}

func TestPropfindGolden(t *testing.T) {
	s := newLimitedServer(t, layers.Limits{InfiniteList: 5})
	ann, agent := s.user("ann"), s.agent("ann", "session-aaaa")
	ann.do("MKCOL", "/dav/d", "").want(201)
	ann.do("PUT", "/dav/d/a&b <1>.txt", "shared").want(201)
	ann.do("PUT", "/dav/d/ü.bin", "x").want(201)
	ann.do("PROPPATCH", "/dav/d", `<propertyupdate xmlns="DAV:"><set><prop><x xmlns="urn:x" xml:lang="de">a &lt; b<y/></x><z xmlns=""/></prop></set></propertyupdate>`).want(207)
	agent.do("PUT", "/dav/d/a&b <1>.txt", "overridden").want(201 + 3)
	agent.do("LOCK", "/dav/d", lockBody, "Depth", "infinity", "Timeout", "Second-600").want(200)

	agent.do("PROPFIND", "/dav/d", "").want(207).golden("allprop.xml")
	agent.do("PROPFIND", "/dav/d/", `<propfind xmlns="DAV:"><propname/></propfind>`, "Depth", "0").want(207).golden("propname.xml")
	const named = `<propfind xmlns="DAV:" xmlns:v="urn:varve" xmlns:o="http://owncloud.org/ns"><prop><getcontentlength/><v:layer/><v:node/><v:version/>` +
		`<v:origin/><v:shadow-changed/><v:sha256/><o:checksums/><o:permissions/><o:fileid/><x xmlns="urn:x"/><z xmlns=""/><current-user-principal/></prop></propfind>`
	agent.do("PROPFIND", "/dav/d", named, "Depth", "1").want(207).golden("named.xml")
	agent.do("PROPFIND", "/dav/d", named, "Depth", "1", "Prefer", "return=minimal").want(207).
		headed("Preference-Applied", "return=minimal").golden("minimal.xml")
	agent.do("PROPFIND", "/dav/d", `<propfind xmlns="DAV:" xmlns:v="urn:varve"><allprop/><include><v:layer/><v:sha256/></include></propfind>`,
		"Depth", "1,noroot", "User-Agent", "Microsoft-WebDAV-MiniRedir/10.0.22631").want(207).golden("include-lean-noroot.xml")
	agent.do("PROPFIND", "/dav/d", "", "Depth", "1", "Prefer", "depth-noroot").want(207).lacks("<D:href>/dav/d/</D:href>").has("<D:href>/dav/d/%C3%BC.bin<")
	agent.do("PROPFIND", "/dav/", `<propfind xmlns="DAV:"><prop><resourcetype/></prop></propfind>`, "Depth", "infinity").want(207).golden("infinity.xml")
	agent.do("PROPFIND", "/", "", "Depth", "1").want(207).golden("roots.xml")
	agent.do("PROPFIND", "/sessions", `<propfind xmlns="DAV:"><prop><displayname/><lockdiscovery/></prop></propfind>`).want(207).golden("sessions.xml")

	agent.do("PUT", "/dav/one-too-many", "x").want(201)
	agent.do("PUT", "/dav/two-too-many", "x").want(201)
	agent.do("PROPFIND", "/dav/", "", "Depth", "infinity").want(403).has("propfind-finite-depth")
	agent.do("PROPFIND", "/", "", "Depth", "infinity").want(403).has("propfind-finite-depth")
	agent.do("PROPFIND", "/dav/d/ü.bin", "", "Depth", "infinity").want(207)
	agent.do("PROPFIND", "/dav/", "", "Depth", "three").want(400)
	agent.do("PROPFIND", "/dav/none", "").want(404)
}

// TestLongListing goes out in pieces; a short one has a length.
func TestLongListing(t *testing.T) {
	h := newServer(t).user("ann")
	h.do("MKCOL", "/dav/d", "").want(201)
	h.do("PROPFIND", "/dav/d", "").want(207).headed("Content-Type", "application/xml; charset=utf-8")
	if got := h.do("PROPFIND", "/dav/d", ""); got.header.Get("Content-Length") != fmt.Sprint(len(got.body)) {
		t.Errorf("Content-Length of a short answer is %q", got.header.Get("Content-Length"))
	}
	const n = 150
	for i := range n {
		h.do("PUT", fmt.Sprintf("/dav/d/%03d-%s", i, strings.Repeat("x", 100)), "x").want(201)
	}
	got := h.do("PROPFIND", "/dav/d", "", "Depth", "1").want(207)
	if c := strings.Count(got.body, "<D:response>"); c != n+1 || len(got.body) < 1<<16 {
		t.Errorf("%d responses in %d bytes, want %d", c, len(got.body), n+1)
	}
	if err := xml.Unmarshal([]byte(got.body), new(struct{})); err != nil {
		t.Error(err)
	}
}

func TestProppatch(t *testing.T) {
	h := newServer(t).user("ann")
	h.do("PUT", "/dav/f", "x").want(201)
	patch := func(set, remove string) answer {
		return h.do("PROPPATCH", "/dav/f", `<D:propertyupdate xmlns:D="DAV:" xmlns:x="urn:x" xmlns:v="urn:varve" xmlns:m="urn:schemas-microsoft-com:">`+
			`<D:set><D:prop>`+set+`</D:prop></D:set><D:remove><D:prop>`+remove+`</D:prop></D:remove></D:propertyupdate>`).want(207)
	}
	props := func() answer { return h.do("PROPFIND", "/dav/f", "", "Depth", "0").want(207) }

	patch(`<x:a>1</x:a><x:b>2</x:b>`, `<x:none/>`).has("200 OK").lacks("403", "424")
	props().has(`<N:a xmlns:N="urn:x">1</N:a>`, `<N:b xmlns:N="urn:x">2</N:b>`)
	// All or none.
	patch(`<x:a>3</x:a><D:getetag>no</D:getetag>`, `<x:b/>`).
		has("403 Forbidden", "cannot-modify-protected-property", "424 Failed Dependency").lacks("200 OK")
	patch(`<v:layer>shared</v:layer>`, ``).has("403 Forbidden")
	patch(`<v:unheard-of>x</v:unheard-of>`, ``).has("403 Forbidden")
	patch(``, `<D:getlastmodified/>`).has("409 Conflict")
	patch(`<D:lastmodified>no time</D:lastmodified>`, ``).has("409 Conflict")
	props().has(`<N:a xmlns:N="urn:x">1</N:a>`, `<N:b xmlns:N="urn:x">2</N:b>`)
	// The time of modification, by all its names.
	for set, want := range map[string]string{
		`<D:getlastmodified>Mon, 02 Jan 2006 15:04:05 GMT</D:getlastmodified>`:             "Mon, 02 Jan 2006 15:04:05 GMT",
		`<D:lastmodified>1700000000</D:lastmodified>`:                                      "Tue, 14 Nov 2023 22:13:20 GMT",
		`<s:lastmodified xmlns:s="SAR:">Thu, 01 Nov 2012 15:43:57 GMT</s:lastmodified>`:    "Thu, 01 Nov 2012 15:43:57 GMT",
		`<m:Win32LastModifiedTime>Mon, 15 Aug 2005 15:13:00 GMT</m:Win32LastModifiedTime>`: "Mon, 15 Aug 2005 15:13:00 GMT",
		`<D:lastmodified>2020-01-02T03:04:05.678Z</D:lastmodified><x:c>with others</x:c>`:  "Thu, 02 Jan 2020 03:04:05 GMT",
	} {
		patch(set, ``).has("200 OK").lacks("403", "409")
		props().has("<D:getlastmodified>" + want + "<")
	}
	patch(`<m:Win32FileAttributes>00000020</m:Win32FileAttributes>`, ``).has("200 OK")
	h.do("PUT", "/dav/f", "newer").want(204)
	props().has(`<N:Win32FileAttributes xmlns:N="urn:schemas-microsoft-com:">00000020<`).lacks("Mon, 15 Aug 2005 15:13:00 GMT")
	patch(``, `<x:a/><m:Win32FileAttributes/>`).has("200 OK")
	props().lacks("N:a", "Win32FileAttributes")
	h.do("PROPPATCH", "/dav/none", patchBody).want(404)
	h.do("PROPPATCH", "/dav/f", "").want(400)
	h.do("PROPPATCH", "/dav/f", patchBody, "If-Match", `"no"`).want(412)
	h.do("MKCOL", "/dav/d", "").want(201)
	h.do("PROPPATCH", "/dav/d", patchBody).want(207).has("<D:href>/dav/d/</D:href>")
	h.do("PROPPATCH", "/dav/", patchBody).want(207).has("<D:href>/dav/</D:href>")
}
