// Package authz says who a request acts for and what they may do.
//
// A Principal is (issuer, sub), with scopes, perhaps bound to one session and
// confined to a path. It comes from a JWT (varve's own Ed25519 key, or keys the
// operator configured) or from a mount token: short, opaque, hashed at rest,
// revocable, for clients whose passwords must be short. Allows decides, purely,
// whether a principal may do an action to a tree; layers asks it in every
// operation and nothing else does.
//
// # Invariants
//
//   - a key has one algorithm, decided by what the key is. Which keys a token may
//     be signed with follows from its iss, or for varve's own from its kid, and
//     never from anything else it says.
//   - a claim that is there and makes no sense refuses the token; it is never
//     read as if it were absent.
//   - a token mints only what its maker may do itself, for no longer.
//   - what could not be checked, because the store or an issuer's keys are not to
//     be had, is an error other than ErrUnauthorized: neither yes nor no.
//   - a revocation counts for every Verify that begins after Revoke returned.
//
// # Where varve's own tokens come from
//
// They are short, so that they fit the password field of any client: iss and
// aud are implied by the key's id, and defaults are left out. A user of an
// external issuer can have one too; its claim idp names that issuer.
//
// # Open
//
// Grants come with their issue. With several processes over one store the cache
// of verified tokens will have to ask the store for its epoch.
package authz

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"varve/history"
)

// Scope is a set of rights a token carries.
type Scope uint8

// The scopes. A token that names none has read and write.
const (
	Read Scope = 1 << iota
	Write
	Share
	Publish
	Export
	Admin
)

// defaultScopes are those of a token that names none.
const defaultScopes = Read | Write

// Has tells whether every right of t is in s.
func (s Scope) Has(t Scope) bool { return s&t == t }

// word is how a token spells one scope; "" for what is none.
func (s Scope) word() string {
	switch s {
	case Read:
		return "read"
	case Write:
		return "write"
	case Share:
		return "share"
	case Publish:
		return "publish"
	case Export:
		return "export"
	case Admin:
		return "admin"
	}
	return ""
}

// String spells s as a scope claim does: words with a space between.
func (s Scope) String() string {
	var words []string
	for one := Read; one <= Admin; one <<= 1 {
		if s.Has(one) {
			words = append(words, one.word())
		}
	}
	return strings.Join(words, " ")
}

// ParseScopes reads words separated by spaces or commas, as people type them.
// A word that is no scope is fs.ErrInvalid; no words are the zero Scope.
func ParseScopes(words string) (Scope, error) {
	var s Scope
	for _, word := range strings.Fields(strings.ReplaceAll(words, ",", " ")) {
		one := scope(word)
		if one == 0 {
			return 0, fmt.Errorf("scope %q: %w", word, fs.ErrInvalid)
		}
		s |= one
	}
	return s, nil
}

// scope is the one a word spells, or zero.
func scope(word string) Scope {
	for one := Read; one <= Admin; one <<= 1 {
		if one.word() == word {
			return one
		}
	}
	return 0
}

// Principal is who a request acts for. The zero Principal may do nothing.
// Whoever makes one without a token (the control socket does) sets Path to "."
// and leaves Expires zero: it has no term.
type Principal struct {
	Issuer  string // empty for varve's own tokens
	Sub     string // the user; with Session set, the session's owner
	Session string // the session the request is bound to; empty for a user
	Scopes  Scope
	Path    string    // confines to a subtree of the home, cleaned; "." when not confined
	TokenID string    // jti, or the mount token's id
	Expires time.Time // of the token
	Mints   bool      // its issuer mints sessions: a first write creates Session
	Mount   bool      // came from a mount token, which mints no tokens
}

// Account is the user the principal is, or whose session it is.
func (p Principal) Account() history.Account {
	return history.Account{Issuer: p.Issuer, Sub: p.Sub}
}

// Actor is how p's changes are recorded.
func (p Principal) Actor() history.Actor {
	return history.Actor{Account: p.Account(), Session: p.Session}
}

// Reach says how a name lies to the principal's Path.
type Reach uint8

// The reaches.
const (
	Outside  Reach = iota // as if it did not exist
	OnTheWay              // an ancestor of Path: lists only the way down
	Inside
)

// Reach tells how name (cleaned, key form) lies to p.Path.
func (p Principal) Reach(name string) Reach {
	switch {
	case p.Path == "." || name == p.Path || strings.HasPrefix(name, p.Path+"/"):
		return Inside
	case name == "." || strings.HasPrefix(p.Path, name+"/"):
		return OnTheWay
	}
	return Outside
}

// ErrUnauthorized: no credentials, or credentials that do not count. Its text
// never says why to the client; wrapped text is for the server's log.
var ErrUnauthorized = errors.New("unauthorized")

type contextKey struct{}

// With returns ctx carrying p from the middleware to the handler.
func With(ctx context.Context, p Principal) context.Context {
	return context.WithValue(ctx, contextKey{}, p)
}

// From returns the principal With put there, or the zero Principal.
func From(ctx context.Context) Principal {
	p, _ := ctx.Value(contextKey{}).(Principal)
	return p
}
