package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"varve/authz"
	"varve/layers"
)

// canary is part of everything in ann's sessions that nobody else may ever read.
const canary = "canary-7f3a"

// private is one of ann's sessions, or what a stranger who made everything up
// would name in its place. All of them have the same length, so that answers
// about them are comparable to the byte.
type private struct {
	sid, lock, mount string
}

// isolated is a server with ann's sessions on it, and the strangers.
//
//	live   ann works in it
//	ended  like it, and then ended
//	never  does not exist
type isolated struct {
	*server
	keys               *authz.Keys
	live, ended, never private
	liveToken          string
	bob, bobs          string // the token of a session of bob's, and its id
	parties            []party
	changes            int // of the sentinel
}

// party is somebody who may not see ann's sessions.
type party struct {
	name    string
	token   string
	status  int  // of the answers to it
	walks   bool // all of the walk; a part of it is enough for others
	owner   bool // is ann, and may take back her mount tokens
	carrier func(token string) string
}

func newIsolated(t *testing.T) *isolated {
	t.Helper()
	secret := writeFile(t, "secret", strings.Repeat("s", 32))
	w := &isolated{server: startServer(t, "--hs256-secret-file", secret, "--issuer-name", "platform", "--issuer-mints-sessions", "--log-level", "error")}
	w.openKeys()
	ann := w.mint(authz.Claims{Sub: "ann"})
	for _, name := range []string{"file.txt", "gone.txt", "only.txt"} {
		w.ok("PUT", "/shared/"+name, ann, "of shared")
	}
	w.ok("PUT", "/shared/mine.txt", ann, "mine", "X-OC-Mtime: 1700000000") // writing it again changes nothing
	w.live, w.liveToken = w.populate()
	w.ended, _ = w.populate()
	w.ok("DELETE", "/api/sessions/"+w.ended.sid, ann, "")
	w.never = private{layers.NewSessionID(), strings.Repeat("0", len(w.live.lock)), "mt_" + strings.Repeat("0", len(w.live.mount)-3)}
	w.invite(secret)
	return w
}

// openKeys opens the keys that mint signs with.
func (w *isolated) openKeys() {
	w.t.Helper()
	var err error
	if w.keys, err = authz.OpenKeys(filepath.Join(w.dir, "keys")); err != nil {
		w.t.Fatal(err)
	}
}

// seq is the newest change of the store, made by itself: two of them lie exactly
// one apart when nothing changed in between.
func (w *isolated) seq() int {
	w.t.Helper()
	w.changes++
	var put struct{ Seq int }
	w.decode(w.ok("PUT", "/api/home/files/sentinel", w.mint(authz.Claims{Sub: "ann"}), fmt.Sprint(w.changes)), &put)
	return put.Seq
}

// changesNothing runs do and checks that no change came of it.
func (w *isolated) changesNothing(t *testing.T, do func()) {
	t.Helper()
	before := w.seq()
	do()
	if after := w.seq(); after != before+1 {
		t.Errorf("%d changes were made", after-before-1)
	}
}

// writeFile writes a file outside of the store and returns its name.
func writeFile(t *testing.T, name, text string) string {
	t.Helper()
	name = filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// populate makes a session of ann's that has something of everything.
func (w *isolated) populate() (private, string) {
	w.t.Helper()
	p := private{sid: layers.NewSessionID()}
	token := w.mint(authz.Claims{Sub: "ann", Session: p.sid})
	for _, step := range []raw{
		{"PUT", "/dav/file.txt", []string{"Content-Type: text/" + canary}, canary + " file", false},
		{"PUT", "/dav/locked.txt", nil, canary + " locked", false},
		{"MKCOL", "/dav/dir", nil, "", false},
		{"PUT", "/dav/dir/" + canary + ".txt", []string{"User-Agent: " + canary}, canary + " below", false},
		{"PROPPATCH", "/dav/file.txt", nil, `<D:propertyupdate xmlns:D="DAV:"><D:set><D:prop><` + canary + ` xmlns="urn:` + canary +
			`">` + canary + `</` + canary + `></D:prop></D:set></D:propertyupdate>`, false},
		{"DELETE", "/dav/gone.txt", nil, "", false},
	} {
		w.ok(step.method, step.target, token, step.body, step.header...)
	}
	p.lock = w.ok("LOCK", "/dav/locked.txt", token, lockBody(canary)).header.Get("Lock-Token")
	p.lock = strings.Trim(p.lock, "<>")
	w.ok("LOCK", "/dav/dir", token, lockBody(canary))
	w.ok("PATCH", "/api/sessions/"+p.sid, w.mint(authz.Claims{Sub: "ann"}), `{"name":"`+canary+`"}`)
	var made struct{ ID string }
	w.decode(w.ok("POST", "/api/tokens", token, `{"mount":true,"name":"`+canary+`"}`), &made)
	p.mount = made.ID
	return p, token
}

// lockBody asks for an exclusive lock.
func lockBody(owner string) string {
	return `<D:lockinfo xmlns:D="DAV:"><D:lockscope><D:exclusive/></D:lockscope><D:locktype><D:write/></D:locktype>` +
		`<D:owner>` + owner + `</D:owner></D:lockinfo>`
}

// invite makes everybody who may not see ann's sessions.
func (w *isolated) invite(secretFile string) {
	w.t.Helper()
	own := func(sub, sid string) string {
		token := w.mint(authz.Claims{Sub: sub, Session: sid})
		w.ok("PUT", "/dav/mine.txt", token, "mine", "X-OC-Mtime: 1700000000")
		w.ok("MKCOL", "/dav/box", token, "")
		return token
	}
	w.bobs = layers.NewSessionID()
	w.bob = own("bob", w.bobs)
	annSession := own("ann", layers.NewSessionID())
	bob := w.mint(authz.Claims{Sub: "bob"})
	expired, err := w.keys.Mint(time.Now().Add(-48*time.Hour), authz.Claims{Sub: "ann", Session: w.live.sid})
	if err != nil {
		w.t.Fatal(err)
	}
	revoked := w.mint(authz.Claims{Sub: "ann", Session: w.live.sid})
	var me struct{ ID string }
	w.decode(w.ok("GET", "/api/me", revoked, ""), &me)
	w.ok("DELETE", "/api/tokens/"+me.ID, revoked, "")
	stranger := func(name string, c authz.Claims) party {
		return party{name: name, token: w.mint(c), status: 404}
	}
	w.parties = []party{
		{name: "another session of the owner", token: annSession, status: 404, walks: true},
		{name: "another owner's session", token: w.bob, status: 404},
		{name: "another user", token: bob, status: 404, walks: true},
		{name: "a mount token of another session", token: w.mount(w.bob), status: 404},
		{name: "a mount token of another user", token: w.mount(bob), status: 404},
		stranger("a read-only token", authz.Claims{Sub: "bob", Scopes: authz.Read}),
		stranger("a token confined to a path", authz.Claims{Sub: "bob", Path: "box"}),
		stranger("a session's token confined to a path", authz.Claims{Sub: "bob", Session: w.bobs, Path: "box"}),
		stranger("a session not made yet", authz.Claims{Sub: "bob", Session: layers.NewSessionID()}),
		{name: "the owner without the right to read", token: w.mint(authz.Claims{Sub: "ann", Scopes: authz.Write | authz.Share}), status: 404, owner: true},
		{name: "a namesake of another issuer", token: platformToken(w.t, jwt.MapClaims{"sub": "ann"}), status: 404},
		{name: "an admin whose issuer makes none", token: platformToken(w.t, jwt.MapClaims{"sub": "ann", "scope": "admin read"}), status: 404},
		{name: "an expired token", token: expired, status: 401},
		{name: "a revoked token", token: revoked, status: 401},
		{name: "nobody", status: 401, carrier: func(string) string { return "X-Nothing: here" }},
	}
}

// platformToken is a token of the issuer with the secret.
func platformToken(t *testing.T, said jwt.MapClaims) string {
	t.Helper()
	said["iss"], said["exp"] = "platform", time.Now().Add(time.Hour).Unix()
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, said).SignedString([]byte(strings.Repeat("s", 32)))
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// mint makes a token without asking anybody, as varve token does.
func (w *isolated) mint(c authz.Claims) string {
	w.t.Helper()
	token, err := w.keys.Mint(time.Now(), c)
	if err != nil {
		w.t.Fatal(err)
	}
	return token
}

// mount makes a mount token with the rights of a token.
func (w *isolated) mount(token string) string {
	w.t.Helper()
	var made struct{ Token string }
	w.decode(w.ok("POST", "/api/tokens", token, `{"mount":true}`), &made)
	return made.Token
}

// ok is a request that has to succeed.
func (w *isolated) ok(method, target, token, body string, header ...string) heard {
	w.t.Helper()
	header = append(header, bearer(token))
	if strings.HasPrefix(body, "{") {
		header = append(header, "Content-Type: application/json")
	}
	a := w.line(w.t).ask(raw{method, target, header, body, false})
	if a.status/100 != 2 {
		w.t.Fatalf("%s %s = %s", method, target, a.whole)
	}
	return a
}

func (w *isolated) decode(a heard, to any) {
	w.t.Helper()
	if err := json.Unmarshal([]byte(a.body), to); err != nil {
		w.t.Fatalf("%s: %v", a.body, err)
	}
}

// The ways a token travels.
func bearer(token string) string { return "Authorization: Bearer " + token }
func cookie(token string) string { return "Cookie: " + authz.CookieName + "=" + token }
func basic(token string) string {
	return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("anybody:"+token))
}

// carriers are those a party is heard by.
func (p party) carriers() map[string]func(string) string {
	if p.carrier != nil {
		return map[string]func(string) string{"without": p.carrier}
	}
	return map[string]func(string) string{"Bearer": bearer, "Basic": basic, "cookie": cookie}
}

// about is r about one of the sessions.
func (p private) about(r raw) raw {
	fill := strings.NewReplacer("{sid}", p.sid, "{lock}", p.lock, "{mount}", p.mount)
	r.target, r.body, r.header = fill.Replace(r.target), fill.Replace(r.body), slices.Clone(r.header)
	for i := range r.header {
		r.header[i] = fill.Replace(r.header[i])
	}
	return r
}

// blank is an answer without what tells which of the sessions it is about.
func (p private) blank(a heard) string {
	return strings.NewReplacer(p.sid, "{sid}", p.lock, "{lock}", p.mount, "{mount}").Replace(a.plain())
}

// state is all that can be seen of ann's sessions and shared. Nothing that a
// stranger does may change it.
func (w *isolated) state() string {
	w.t.Helper()
	ann := w.mint(authz.Claims{Sub: "ann"})
	operator := w.mint(authz.Claims{Sub: "root", Scopes: authz.Read | authz.Admin})
	var all []string
	for _, p := range []private{w.live, w.ended} {
		for _, path := range []string{"", "dir", "locked.txt", "file.txt"} {
			all = append(all, w.ok("PROPFIND", "/sessions/"+p.sid+"/"+path, ann, canaryBody, "Depth: 1").body)
		}
		all = append(all, w.ok("GET", "/sessions/"+p.sid+"/file.txt", ann, "").body, w.ok("GET", "/api/sessions/"+p.sid, ann, "").body)
	}
	all = append(all, w.ok("GET", "/api/sessions", operator, "").body)
	return passing.ReplaceAllString(strings.Join(all, "\n"), "")
}

// passing is what changes by itself: timeouts of locks, and when a directory was
// touched, for what others rightly do to shared shows in it.
var passing = regexp.MustCompile(`Second-\d+|"d[0-9a-f]{16}"|<D:getlastmodified>[^<]*`)

// propsBody asks for everything that changes when anything does, canaryBody for
// what ann made up too.
const (
	propsBody = `<D:propfind xmlns:D="DAV:" xmlns:V="urn:varve"><D:prop><D:getetag/><D:getlastmodified/><D:resourcetype/>` +
		`<D:lockdiscovery/><V:version/><V:node/><V:layer/></D:prop></D:propfind>`
	canaryBody = `<D:propfind xmlns:D="DAV:" xmlns:V="urn:varve"><D:prop><D:getetag/><D:lockdiscovery/><V:version/><V:node/>` +
		`<` + canary + ` xmlns="urn:` + canary + `"/></D:prop></D:propfind>`
)
