// Package authz says who a request acts for and what they may do.
//
// A Principal is (issuer, sub), with scopes, perhaps bound to one session and
// confined to a path. It comes from a JWT (varve's own Ed25519 key, or keys the
// operator configured) or from a mount token: short, opaque, hashed at rest,
// revocable, for clients whose passwords must be short. Allows decides, purely,
// whether a principal may do an action to a tree; layers asks it in every
// operation and nothing else does.
package authz

import (
	"context"
	"errors"
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

// Has tells whether every right of t is in s.
func (s Scope) Has(t Scope) bool { return s&t == t }

// Principal is who a request acts for. The zero Principal may do nothing.
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

// Action is what somebody wants to do to a tree.
type Action uint8

// The actions.
const (
	See       Action = iota // read names, properties, content
	Change                  // write content, names, dead properties, locks
	Tag                     // set properties of varve's own: tier, archived
	Manage                  // rename, freeze, end a session
	ShareOut                // grant
	PublishUp               // publish
	ExportOut               // export
)

// Tree is what an action is done to: the shared layer, or a session.
type Tree struct {
	Session string          // empty: the shared layer
	Owner   history.Account // of the session
}

// Allows decides whether p may do a to t. It is pure: it knows nothing of
// names (see Reach) nor of whether the session is sealed.
func Allows(p Principal, a Action, t Tree) bool { panic("todo") }

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
