package layers

import (
	"errors"
	"io/fs"
	"slices"
	"strings"
	"time"

	"varve/authz"
)

// Cond is what must hold for a request to be done: RFC 9110, section 13, and
// RFC 4918, section 10.4. The zero Cond always holds and submits no lock token.
type Cond struct {
	IfMatch           []string  // entity tags, or "*"; nil: absent
	IfNoneMatch       []string  // entity tags, or "*"; nil: absent
	IfUnmodifiedSince time.Time // zero: absent
	If                []IfList  // any one list must hold; nil: absent
	Tokens            []string  // every lock token submitted anywhere in If
}

// IfList is one parenthesised list of an If header: all terms must hold.
type IfList struct {
	View    *View  // the tree its tag names; nil: the request's own
	Name    string // the tagged resource; "": the request's own
	Foreign bool   // the tag names nothing served here: a resource without tokens or tags
	Terms   []IfTerm
}

// IfTerm is one state token or entity tag.
type IfTerm struct {
	Not   bool
	Token string // URI without angle brackets, or
	ETag  string // entity tag with its quotes
}

// state is what a condition can ask of a resource.
type state struct {
	exists   bool
	etag     string
	modified time.Time
	locks    []Lock
}

// holds checks c for a request to name: ErrPrecondition if it fails.
func (b *bound) holds(name string, c Cond) error {
	if c.IfMatch == nil && c.IfNoneMatch == nil && c.IfUnmodifiedSince.IsZero() && c.If == nil {
		return nil
	}
	s, err := b.state(name)
	if err != nil {
		return err
	}
	if !s.allows(c) {
		return ErrPrecondition
	}
	if c.If == nil {
		return nil
	}
	for _, list := range c.If {
		ok, err := b.listHolds(name, s, list)
		if err != nil || ok {
			return err
		}
	}
	return ErrPrecondition
}

// allows evaluates the conditions of RFC 9110, section 13.2.2, for a request
// that writes.
func (s state) allows(c Cond) bool {
	switch {
	case c.IfMatch != nil:
		if !s.exists || !slices.ContainsFunc(c.IfMatch, func(t string) bool { return t == "*" || t == s.etag }) {
			return false
		}
	case !c.IfUnmodifiedSince.IsZero():
		if s.exists && s.modified.Truncate(time.Second).After(c.IfUnmodifiedSince) {
			return false
		}
	}
	weak := func(t string) bool { return t == "*" || strings.TrimPrefix(t, "W/") == s.etag }
	return !s.exists || !slices.ContainsFunc(c.IfNoneMatch, weak)
}

// listHolds evaluates one list of an If header for a request to name, whose state is own.
func (b *bound) listHolds(name string, own state, list IfList) (bool, error) {
	s := own
	switch {
	case list.Foreign:
		s = state{}
	case list.View != nil || list.Name != "" && key(list.Name) != name:
		var err error
		if s, err = b.tagged(list); err != nil {
			return false, err
		}
	}
	for _, t := range list.Terms {
		if s.matches(t) == t.Not {
			return false, nil
		}
	}
	return true, nil
}

// tagged is the state of the resource a tagged list names. What the caller may
// not see is as if it did not exist.
func (b *bound) tagged(list IfList) (state, error) {
	at := b
	if list.View != nil {
		var err error
		if at, err = list.View.bind(b.tx); err != nil {
			return state{}, absent(err)
		}
	}
	s, err := at.state(key(list.Name))
	return s, absent(err)
}

// absent turns "not there" into no error.
func absent(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, authz.ErrUnauthorized) {
		return nil
	}
	return err
}

// state reads what conditions can ask of name.
func (b *bound) state(name string) (state, error) {
	var s state
	if b.who.Reach(name) == authz.Outside {
		return s, nil // not even its locks are there
	}
	p, err := b.visit(name)
	if absent(err) != nil {
		return s, err
	}
	if err == nil {
		e := b.entry(p.found)
		s.exists, s.etag, s.modified = true, e.ETag, e.Modified
	}
	locks, err := b.locks(name, false)
	s.locks = slices.DeleteFunc(locks, func(l Lock) bool { return !l.Covers(name) })
	return s, err
}

// matches evaluates a term without its Not.
func (s state) matches(t IfTerm) bool {
	if t.ETag != "" {
		return s.exists && t.ETag == s.etag
	}
	return slices.ContainsFunc(s.locks, func(l Lock) bool { return l.Token == t.Token })
}
