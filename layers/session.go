package layers

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"io/fs"
	"slices"
	"unicode/utf8"

	"varve/authz"
	"varve/history"
)

// NewSessionID makes a session id of 128 random bits, 22 characters of base64url.
func NewSessionID() string {
	var bits [16]byte
	rand.Read(bits[:]) // never fails, see crypto/rand
	return base64.RawURLEncoding.EncodeToString(bits[:])
}

// CreateSession makes a session that who's account owns. An empty id makes one;
// an id that was ever used is fs.ErrExist. Sessions make no sessions:
// fs.ErrPermission; nor do tokens without scope write: ErrScope.
func (s *Store) CreateSession(ctx context.Context, who Caller, id, name string) (Session, error) {
	if id == "" {
		id = NewSessionID()
	}
	change, err := s.log.Commit(ctx, func(tx *history.Tx) (*history.Change, error) {
		switch {
		case who.Sub == "":
			return nil, authz.ErrUnauthorized
		case who.Session != "":
			return nil, fs.ErrPermission
		case !who.Scopes.Has(authz.Write):
			return nil, ErrScope
		case !authz.ValidSession(id) || !nameable(name):
			return nil, fs.ErrInvalid
		}
		if _, err := tx.Session(id); !errors.Is(err, fs.ErrNotExist) {
			return nil, orErr(err, fs.ErrExist)
		}
		layer, err := tx.NewLayer()
		return s.sessionChange(who, Session{ID: id, Layer: layer, Owner: who.Account(), Name: name, Freeze: Live}), err
	})
	return sessionOf(change, id, err)
}

// nameable tells whether name may be a session's name for people.
func nameable(name string) bool {
	return len(name) <= 255 && utf8.ValidString(name) && !containsControl(name)
}

// Session shows a session to itself, its owner or an operator; fs.ErrNotExist to
// everybody else.
func (s *Store) Session(ctx context.Context, who Caller, id string) (Session, error) {
	var found Session
	err := s.View(who, Scope{Kind: SessionView, Session: id}).read(ctx, "session", id, func(b *bound) error {
		if b.session == nil {
			return fs.ErrNotExist
		}
		found = *b.session
		return nil
	})
	return found, err
}

// Sessions lists the caller's sessions (itself only for a session, everybody's
// for an operator), newest first, starting after the id after: fs.ErrNotExist if
// that is no session the caller may see.
func (s *Store) Sessions(ctx context.Context, who Caller, after string, limit int) ([]Session, error) {
	if who.Sub == "" {
		return nil, authz.ErrUnauthorized
	}
	if who.Session != "" {
		one, err := s.Session(ctx, who, who.Session)
		if errors.Is(err, fs.ErrNotExist) || after != "" {
			return nil, nil
		}
		return []Session{one}, err
	}
	owner := who.Account()
	if who.Scopes.Has(authz.Admin) {
		owner = history.Account{}
	}
	var found []Session
	err := s.log.View(ctx, func(tx *history.Tx) error {
		// The place to go on from must not tell whether somebody else has a session.
		if after != "" {
			if _, err := s.View(who, Scope{Kind: SessionView, Session: after}).bind(tx); err != nil {
				return err
			}
		}
		var err error
		found, err = tx.Sessions(owner, after, limit)
		return err
	})
	return slices.DeleteFunc(found, func(one Session) bool {
		return !authz.Allows(who.Principal, authz.See, authz.Tree{Session: one.ID, Owner: one.Owner})
	}), err
}

// RenameSession sets what people call it.
func (s *Store) RenameSession(ctx context.Context, who Caller, id, name string) (Session, error) {
	if !nameable(name) {
		return Session{}, pathError("rename", id, fs.ErrInvalid)
	}
	return s.manage(ctx, who, id, func(tx *history.Tx, one *Session) error {
		one.Name = name
		return nil
	})
}

// EndSession seals a session: nothing writes to it any more and its locks are
// dropped. What it holds stays readable to its owner. Ending it twice is no error.
func (s *Store) EndSession(ctx context.Context, who Caller, id string) (Session, error) {
	return s.manage(ctx, who, id, func(tx *history.Tx, one *Session) error {
		if !one.Sealed.IsZero() {
			return nil
		}
		one.Sealed = tx.Now()
		tx.Do(`DELETE FROM lock WHERE layer = $1`, int64(one.Layer))
		return nil
	})
}

// manage changes the row of a session that who may manage.
func (s *Store) manage(ctx context.Context, who Caller, id string, edit func(*history.Tx, *Session) error) (Session, error) {
	var kept Session
	change, err := s.log.Commit(ctx, func(tx *history.Tx) (*history.Change, error) {
		b, err := s.View(who, Scope{Kind: SessionView, Session: id}).bind(tx)
		if err != nil {
			return nil, err
		}
		if b.session == nil {
			return nil, fs.ErrNotExist
		}
		if !authz.Allows(who.Principal, authz.Manage, b.target) {
			return nil, fs.ErrPermission
		}
		kept = *b.session
		if err := edit(tx, &kept); err != nil || kept == *b.session {
			return nil, err
		}
		return s.sessionChange(who, kept), nil
	})
	if err == nil && change == nil {
		return kept, nil
	}
	return sessionOf(change, id, err)
}

// sessionChange records what became of a session.
func (s *Store) sessionChange(who Caller, one Session) *history.Change {
	return &history.Change{
		Actor: who.Actor(), Owner: one.Owner, Op: history.OpSession, Agent: who.Agent, Session: &one,
	}
}

// sessionOf is the session a change wrote.
func sessionOf(change *history.Change, id string, err error) (Session, error) {
	if err != nil {
		return Session{}, pathError("session", id, err)
	}
	return *change.Session, nil
}
