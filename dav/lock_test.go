package dav_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

func sharedLock(owner string) string {
	return strings.Replace(strings.Replace(lockBody, "exclusive", "shared", 1), ">o<", ">"+owner+"<", 1)
}

// token is the Lock-Token of an answer, in brackets.
func (a answer) token() string {
	a.t.Helper()
	token := a.header.Get("Lock-Token")
	if !strings.HasPrefix(token, "<opaquelocktoken:") {
		a.t.Fatalf("%s: Lock-Token is %q", a.what, token)
	}
	return token
}

func TestLock(t *testing.T) {
	h := newServer(t).user("ann")
	h.do("LOCK", "/dav/no/parent", lockBody).want(409)
	h.do("LOCK", "/dav/f", lockBody, "Depth", "1").want(400)
	h.do("LOCK", "/dav/f", "").want(400)
	h.do("LOCK", "/dav/f", "<x/>").want(400)
	made := h.do("LOCK", "/dav/f", lockBody, "Depth", "0", "Timeout", "Second-100").want(201).
		has("<D:exclusive/>", "<D:depth>0</D:depth>", "<D:owner>o</D:owner>", "<D:timeout>Second-100<", "<D:lockroot><D:href>/dav/f</D:href>")
	token := made.token()
	if n := strings.Count(made.body, "<D:locktoken><D:href>"+token[1:len(token)-1]+"<"); n != 1 {
		t.Errorf("the body has the token %d times:\n%s", n, made.body)
	}
	h.do("GET", "/dav/f", "").want(200)
	h.do("LOCK", "/dav/f", lockBody).want(423).has("<D:no-conflicting-lock><D:href>/dav/f</D:href>")
	h.do("PUT", "/dav/f", "x").want(423).has("<D:lock-token-submitted><D:href>/dav/f</D:href>")
	h.do("DELETE", "/dav/f", "").want(423)
	h.do("MOVE", "/dav/f", "", "Destination", "/dav/g").want(423)
	h.do("PROPPATCH", "/dav/f", patchBody).want(423)
	h.do("PUT", "/dav/f", "x", "If", "("+token+")").want(204)
	h.do("PUT", "/dav/f", "x", "If", "(Not "+token+") ("+token+")").want(204)
	h.do("PROPFIND", "/dav/f", "", "Depth", "0").want(207).has(token[1 : len(token)-1])
	h.do("LOCK", "/dav/f", "", "If", "("+token+")", "Timeout", "Second-50").want(200).has("Second-50<").headed("Lock-Token", "")
	h.do("LOCK", "/dav/f", "", "If", "(<opaquelocktoken:other>)").want(412)
	h.do("UNLOCK", "/dav/f", "").want(400)
	h.do("UNLOCK", "/dav/f", "", "Lock-Token", "<opaquelocktoken:other>").want(409).has("lock-token-matches-request-uri")
	h.do("PUT", "/dav/other", "x").want(201)
	h.do("UNLOCK", "/dav/other", "", "Lock-Token", token).want(409)
	h.do("UNLOCK", "/dav/f", "", "Lock-Token", token).want(204)
	h.do("PUT", "/dav/f", "x").want(204)
}

func TestLockGoesWithItsName(t *testing.T) {
	h := newServer(t).user("ann")
	h.do("PUT", "/dav/a", "x").want(201)
	token := h.do("LOCK", "/dav/a", lockBody).want(200).token()
	h.do("DELETE", "/dav/a", "", "If", "("+token+")").want(204)
	h.do("PUT", "/dav/a", "x").want(201)
	token = h.do("LOCK", "/dav/a", lockBody).want(200).token()
	h.do("MOVE", "/dav/a", "", "If", "("+token+")", "Destination", "/dav/b").want(201)
	h.do("PUT", "/dav/b", "x").want(204)
	h.do("PUT", "/dav/a", "x").want(201)
}

func TestLockOfMembers(t *testing.T) {
	h := newServer(t).user("ann")
	h.do("MKCOL", "/dav/d", "").want(201)
	h.do("PUT", "/dav/d/f", "x").want(201)
	inner := h.do("LOCK", "/dav/d/f", lockBody).want(200).token()
	for _, test := range [][]string{{"DELETE"}, {"MOVE", "Destination", "/dav/e"}} {
		h.do(test[0], "/dav/d", "", test[1:]...).want(423).has("<D:href>/dav/d/f</D:href>")
	}
	h.do("PUT", "/dav/x", "x").want(201)
	h.do("LOCK", "/dav/d", lockBody, "Depth", "infinity").want(423).has("<D:no-conflicting-lock><D:href>/dav/d/f</D:href>")
	h.do("UNLOCK", "/dav/d/f", "", "Lock-Token", inner).want(204)
	outer := h.do("LOCK", "/dav/d", lockBody, "Depth", "0").want(200).token()
	h.do("PUT", "/dav/d/f", "member's content").want(204)
	h.do("PUT", "/dav/d/new", "a new member").want(423)
	h.do("PUT", "/dav/d/new", "a new member", "If", "</dav/d> ("+outer+")").want(201)
	h.do("DELETE", "/dav/d/new", "").want(423)
}

func TestSharedLocks(t *testing.T) {
	s := newServer(t)
	ann, bob := s.user("ann"), s.user("bob")
	ann.do("PUT", "/dav/f", "x").want(201)
	anns := ann.do("LOCK", "/dav/f", sharedLock("ann")).want(200).token()
	bobs := bob.do("LOCK", "/dav/f", sharedLock("bob")).want(200).token()
	bob.do("LOCK", "/dav/f", lockBody).want(423)
	bob.do("PROPFIND", "/dav/f", "", "Depth", "0").want(207).has("<D:owner>ann<", "<D:owner>bob<", strings.Trim(bobs, "<>")).lacks(strings.Trim(anns, "<>"))
	bob.do("PUT", "/dav/f", "x").want(423)
	bob.do("PUT", "/dav/f", "x", "If", "("+anns+")").want(423)
	bob.do("PUT", "/dav/f", "x", "If", "("+bobs+")").want(204)
	bob.do("UNLOCK", "/dav/f", "", "Lock-Token", anns).want(403)
	bob.do("UNLOCK", "/dav/f", "", "Lock-Token", bobs).want(204)
	ann.do("UNLOCK", "/dav/f", "", "Lock-Token", anns).want(204)
}

// TestExplorerPatchesUnderItsLock: times and attributes may be set without the
// token by whoever holds the lock, and by nobody else.
func TestExplorerPatchesUnderItsLock(t *testing.T) {
	s := newServer(t)
	ann, bob := s.user("ann"), s.user("bob")
	ann.do("PUT", "/dav/f", "x").want(201)
	ann.do("LOCK", "/dav/f", lockBody).want(200)
	const times = `<m:Win32LastModifiedTime>Mon, 15 Aug 2005 15:13:00 GMT</m:Win32LastModifiedTime>`
	const body = `<D:propertyupdate xmlns:D="DAV:" xmlns:m="urn:schemas-microsoft-com:"><D:set><D:prop>%s</D:prop></D:set></D:propertyupdate>`
	bob.do("PROPPATCH", "/dav/f", fmt.Sprintf(body, times)).want(423)
	ann.do("PROPPATCH", "/dav/f", fmt.Sprintf(body, times)).want(207).has("200 OK")
	ann.do("PROPPATCH", "/dav/f", fmt.Sprintf(body, times+"<D:other/>")).want(423)
	ann.do("HEAD", "/dav/f", "").want(200).headed("Last-Modified", "Mon, 15 Aug 2005 15:13:00 GMT")
}

// TestConditions has RFC 9110's on every method that writes.
func TestConditions(t *testing.T) {
	h := newServer(t).user("ann")
	etag := h.do("PUT", "/dav/f", "x").want(201).header.Get("ETag")
	for _, test := range []struct {
		method, body string
		header       []string
	}{
		{"PUT", "y", nil}, {"DELETE", "", nil}, {"PROPPATCH", patchBody, nil}, {"LOCK", lockBody, nil},
		{"MOVE", "", []string{"Destination", "/dav/g"}}, {"COPY", "", []string{"Destination", "/dav/g"}},
	} {
		for _, c := range [][]string{
			{"If-Match", `"other"`}, {"If-Match", `W/` + etag}, {"If-None-Match", etag}, {"If-None-Match", "*"}, {"If-None-Match", "W/" + etag},
			{"If-Unmodified-Since", "Mon, 01 Jan 2001 00:00:00 GMT"}, {"If", `(["other"])`}, {"If", `(Not [` + etag + `])`},
			{"If", `(<opaquelocktoken:other> [` + etag + `])`}, {"If", `</dav/none> ([` + etag + `])`}, {"If", `(<DAV:no-lock>)`},
		} {
			seq := h.seq()
			h.do(test.method, "/dav/f", test.body, append(append([]string{}, test.header...), c...)...).want(412)
			if h.seq() != seq {
				t.Errorf("%s with %v changed something", test.method, c)
			}
		}
		h.do(test.method, "/dav/none", test.body, append(append([]string{}, test.header...), "If-Match", "*")...)
	}
	h.do("MKCOL", "/dav/new", "", "If-Match", "*").want(412)
	h.do("MKCOL", "/dav/new", "", "If-None-Match", "*").want(201)
	for i, c := range [][]string{
		{"If-Match", etag}, {"If-Match", `"a", ` + etag}, {"If-Match", "*"}, {"If-None-Match", `"other"`}, {"If", `([` + etag + `])`},
		{"If", `(["other"]) (Not <DAV:no-lock>)`}, {"If-Unmodified-Since", "garbage"}, {"If-Match", etag, "If-Unmodified-Since", "Mon, 01 Jan 2001 00:00:00 GMT"},
		{"If", `</dav/none> (Not ["x"])`}, {"If", `<http://elsewhere.invalid/f> (Not ["x"])`}, {"If", `</dav/f> ([` + etag + `]) </dav/g> (["z"])`},
	} {
		h.do("PUT", "/dav/f", "x", c...).want(204)
		h.do("PUT", fmt.Sprintf("/dav/%d", i), "x").want(201)
	}
}

// TestRacingWriters: of many who write over the same version, one wins.
func TestRacingWriters(t *testing.T) {
	h := newServer(t).user("ann")
	etag := h.do("PUT", "/dav/f", "start").want(201).header.Get("ETag")
	const n = 8
	statuses := make([]int, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { statuses[i] = h.do("PUT", "/dav/f", fmt.Sprint("writer ", i), "If-Match", etag).status })
	}
	all.Wait()
	won := 0
	for i, status := range statuses {
		switch status {
		case 204:
			won++
			h.do("GET", "/dav/f", "").want(200).has(fmt.Sprint("writer ", i))
		case 412:
		default:
			t.Errorf("writer %d: status %d", i, status)
		}
	}
	if won != 1 {
		t.Errorf("%d of %d writers won", won, n)
	}
}

// TestMalformed sends what must be refused fast, in little memory, by a 4xx.
func TestMalformed(t *testing.T) {
	h := newServer(t).user("ann")
	h.do("PUT", "/dav/f", "x").want(201)
	bomb := `<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><propfind xmlns="DAV:"><prop><x>&b;</x></prop></propfind>`
	nested := `<propfind xmlns="DAV:">` + strings.Repeat("<prop>", 20_000) + strings.Repeat("</prop>", 20_000) + `</propfind>`
	huge := `<propertyupdate xmlns="DAV:"><set><prop><x>` + strings.Repeat("y", 2<<20) + `</x></prop></set></propertyupdate>`
	began := time.Now()
	for _, method := range []string{"PROPFIND", "PROPPATCH", "LOCK", "MKCOL"} {
		for _, body := range []string{bomb, nested, huge, "\x00", strings.Repeat("<", 1000), "<a xmlns:b=''/>"} {
			if got := h.do(method, "/dav/f", body, "Content-Type", "text/xml").status; got/100 != 4 {
				t.Errorf("%s of %.40q = %d", method, body, got)
			}
		}
	}
	long := strings.Repeat("(<opaquelocktoken:x> [\"y\"]) ", 10_000)
	for _, header := range [][]string{
		{"If", long + "("}, {"If", strings.Repeat("(", 100_000)}, {"If", strings.Repeat("<", 100_000)}, {"If", strings.Repeat("(Not ", 50_000)},
		{"If-Match", strings.Repeat(`"x",`, 100_000)}, {"If", long},
	} {
		if got := h.do("PUT", "/dav/f", "y", header...).status; got/100 != 4 {
			t.Errorf("PUT with %s %.20q = %d", header[0], header[1], got)
		}
	}
	h.do("COPY", "/dav/f", "", "Destination", "/dav/"+strings.Repeat("a/", 50_000)).want(414)
	h.do("LOCK", "/dav/f", lockBody, "Timeout", strings.Repeat("Second-0, ", 10_000)+"Second-9").want(200)
	if d := time.Since(began); d > 20*time.Second {
		t.Errorf("all that took %v", d)
	}
}
