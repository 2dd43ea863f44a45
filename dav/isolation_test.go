package dav_test

import (
	"maps"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestAnotherSessionIsAsOneThatIsNot sends every method to a session of
// somebody else and to one that does not exist: the answers are equal.
func TestAnotherSessionIsAsOneThatIsNot(t *testing.T) {
	s := newServer(t)
	owner := s.agent("ann", "session-secret")
	owner.do("MKCOL", "/dav/d", "").want(201)
	owner.do("PUT", "/dav/d/f.txt", "secret").want(201)
	owner.do("PUT", "/dav/f.txt", "secret").want(201)
	lock := owner.do("LOCK", "/dav/f.txt", lockBody).want(200).header.Get("Lock-Token")

	for name, spy := range map[string]hand{
		"user": s.user("eve"), "another owner's session": s.agent("eve", "session-eves"), "the owner's other session": s.agent("ann", "session-other"),
	} {
		spy.do("PUT", "/dav/mine.txt", "x")
		for _, path := range []string{"", "/", "/f.txt", "/d", "/d/", "/d/f.txt", "/new.txt", "/no/parent", "/f.txt/below"} {
			for _, test := range []struct {
				method, body string
				header       []string
			}{
				{"OPTIONS", "", nil}, {"GET", "", nil}, {"HEAD", "", nil}, {"PUT", "x", nil}, {"PUT", "x", []string{"If-Match", "*"}},
				{"PUT", "x", []string{"If-None-Match", "*"}}, {"PUT", "x", []string{"If", "(" + lock + ")"}},
				{"PUT", "x", []string{"Content-Range", "bytes 0-0/1"}},
				{"DELETE", "", nil}, {"DELETE", "", []string{"Depth", "0"}}, {"MKCOL", "", nil}, {"MKCOL", "junk", nil},
				{"COPY", "", []string{"Destination", "/dav/copy.txt"}}, {"MOVE", "", []string{"Destination", "/dav/moved.txt"}},
				{"COPY", "", nil}, {"PROPFIND", "", []string{"Depth", "0"}}, {"PROPFIND", "", []string{"Depth", "1"}},
				{"PROPFIND", "", []string{"Depth", "infinity"}}, {"PROPFIND", "<", nil}, {"PROPPATCH", patchBody, nil},
				{"LOCK", lockBody, nil}, {"LOCK", "", []string{"If", "(" + lock + ")"}}, {"UNLOCK", "", []string{"Lock-Token", lock}},
				{"UNLOCK", "", nil}, {"POST", "", nil}, {"REPORT", "", nil}, {"FROBNICATE", "", nil},
			} {
				there := spy.do(test.method, "/sessions/session-secret"+path, test.body, test.header...)
				nowhere := spy.do(test.method, "/sessions/session-nobody"+path, test.body, test.header...)
				if diff := cmp.Diff(essence(nowhere), essence(there)); diff != "" {
					t.Errorf("%s: %s %s %v tells them apart:\n%s", name, test.method, path, test.header, diff)
				}
				if test.method != "OPTIONS" && there.status < 400 {
					t.Errorf("%s: %s %s = %d", name, test.method, path, there.status)
				}
			}
			// As a destination, and in conditions.
			for _, header := range [][2]string{
				{"Destination", "/sessions/%s" + path}, {"If", "</sessions/%s" + path + "> (" + lock + ")"},
				{"If", "</sessions/%s" + path + "> (Not " + lock + ")"}, {"If", "</sessions/%s" + path + "> (Not [\"x\"])"},
			} {
				method := "COPY"
				if header[0] == "If" {
					method = "PUT"
				}
				there := spy.do(method, "/dav/mine.txt", "x", header[0], replaceSession(header[1], "session-secret"))
				nowhere := spy.do(method, "/dav/mine.txt", "x", header[0], replaceSession(header[1], "session-nobody"))
				if diff := cmp.Diff(essence(nowhere), essence(there)); diff != "" {
					t.Errorf("%s: %s with %v tells them apart:\n%s", name, method, header, diff)
				}
			}
		}
		spy.do("GET", "/sessions/", "").want(200).lacks("session-secret")
		spy.do("PROPFIND", "/sessions/", "", "Depth", "1").want(207).lacks("session-secret")
	}
	owner.do("GET", "/dav/f.txt", "").want(200).has("secret")
}

// TestConfinedToken sees its subtree and the way to it; all else is as if it
// were not there, also where requests name it on the side.
func TestConfinedToken(t *testing.T) {
	s := newServer(t)
	ann := s.user("ann")
	for _, dir := range []string{"docs", "docs/in", "docs/in/deep", "docs/out", "other"} {
		ann.do("MKCOL", "/dav/"+dir, "").want(201)
	}
	for _, file := range []string{"top.txt", "docs/secret.txt", "docs/in/a.txt", "docs/out/b.txt", "docs/inside-not.txt"} {
		ann.do("PUT", "/dav/"+file, "x").want(201)
	}
	lock := ann.do("LOCK", "/dav/docs/secret.txt", lockBody).want(200).token()
	h := s.user("ann;docs/in")
	h.do("PROPFIND", "/dav/", "", "Depth", "1").want(207).has("/dav/docs/").lacks("other", "top.txt")
	h.do("PROPFIND", "/dav/docs", "", "Depth", "1").want(207).has("/dav/docs/in/").lacks("secret", "out", "inside-not")
	h.do("PROPFIND", "/dav/docs/in", "", "Depth", "1").want(207).has("a.txt", "deep")
	h.do("GET", "/dav/docs", "").want(200).has("in/").lacks("secret", "out")
	h.do("PUT", "/dav/docs/in/new.txt", "x").want(201)
	for _, out := range []string{"/dav/top.txt", "/dav/docs/secret.txt", "/dav/docs/out", "/dav/docs/in/../secret.txt", "/dav/docs/inside-not.txt",
		"/shared/docs/secret.txt", "/dav/docs/in/..%2Fsecret.txt"} {
		gone := "/dav/docs/none"
		for _, method := range []string{"GET", "PROPFIND", "DELETE"} {
			there, nowhere := h.do(method, out, ""), h.do(method, gone, "")
			if diff := cmp.Diff(essence(nowhere), essence(there)); diff != "" {
				t.Errorf("%s %s tells it from %s:\n%s", method, out, gone, diff)
			}
		}
		h.do("PUT", out, "x").want(h.do("PUT", gone, "x").status)
		h.do("COPY", out, "", "Destination", "/dav/docs/in/taken").want(404)
		h.do("COPY", "/dav/docs/in/a.txt", "", "Destination", out).want(h.do("COPY", "/dav/docs/in/a.txt", "", "Destination", gone).status)
		h.do("PUT", "/dav/docs/in/a.txt", "x", "If", "<"+out+"> ("+lock+")").want(412)
	}
	ann.do("GET", "/dav/docs/none", "").want(404)
}

const (
	lockBody  = `<lockinfo xmlns="DAV:"><lockscope><exclusive/></lockscope><locktype><write/></locktype><owner>o</owner></lockinfo>`
	patchBody = `<propertyupdate xmlns="DAV:"><set><prop><x xmlns="urn:x">y</x></prop></set></propertyupdate>`
)

func replaceSession(format, id string) string {
	for i := 0; i+1 < len(format); i++ {
		if format[i:i+2] == "%s" {
			return format[:i] + id + format[i+2:]
		}
	}
	return format
}

// essence is an answer without what always differs.
func essence(a answer) any {
	header := maps.Clone(a.header)
	delete(header, "Date")
	return struct {
		Status int
		Header http.Header
		Body   string
	}{a.status, header, a.body}
}
