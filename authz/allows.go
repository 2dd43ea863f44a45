package authz

import (
	"slices"

	"varve/history"
)

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
	Owner   history.Account // of the session; for one not made yet, who would be
}

// needs is the scope without which no user and no session does a.
func (a Action) needs() Scope {
	switch a {
	case See:
		return Read
	case ShareOut:
		return Share
	case PublishUp:
		return Publish
	case ExportOut:
		return Export
	}
	return Write
}

// Allows decides whether p may do a to t. It is pure: it knows nothing of
// names (see Reach) nor of whether the session is sealed.
//
// A session writes its own layer and reads shared. Its owner does everything
// to it but write its content. Users write shared. An operator is a user with
// scope admin: it sees and manages every tree, and writes content only where
// it may as the user it is, with scope write; publishing is writing. Bound to
// a session, scope admin counts for nothing.
func Allows(p Principal, a Action, t Tree) bool {
	switch {
	case p.Sub == "":
		return false
	case a == Manage && p.Path != ".":
		return false // it acts on the whole tree, beyond the path too
	case p.operator() && t.operated(a):
		return true
	}
	return p.Scopes.Has(a.needs()) && slices.Contains(p.usual(t), a)
}

// operator tells whether p's scope admin counts.
func (p Principal) operator() bool { return p.Session == "" && p.Scopes.Has(Admin) }

// operated tells whether an operator may do a to t for being one.
func (t Tree) operated(a Action) bool {
	switch a {
	case See, Tag, Manage, ExportOut:
		return true
	case ShareOut:
		return t.Session != "" // what is granted lies in a session's layer
	}
	return false
}

// usual lists what p does to t, given the scopes.
func (p Principal) usual(t Tree) []Action {
	switch {
	case t.Session == "" && p.Session == "":
		return []Action{See, Change, Tag, ExportOut}
	case t.Session == "":
		return []Action{See, ExportOut}
	case p.Account() != t.Owner:
		return nil // also a token of t's own id with another's sub
	case p.Session == t.Session:
		return []Action{See, Change, Tag, ShareOut, PublishUp, ExportOut}
	case p.Session == "":
		return []Action{See, Tag, Manage, ShareOut, PublishUp, ExportOut}
	}
	return nil
}
