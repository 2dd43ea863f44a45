package history

import (
	"fmt"
	"io/fs"

	"varve/history/sql"
)

const sessionColumns = `id, layer, issuer, sub, name, born, created, sealed, freeze`

func scanSession(r sql.Row) (s Session, err error) {
	var created, sealed int64
	err = r.Scan(&s.ID, &s.Layer, &s.Owner.Issuer, &s.Owner.Sub, &s.Name, &s.Born, &created, &sealed, &s.Freeze)
	s.Created, s.Sealed = fromNanos(created), fromSealed(sealed)
	return s, err
}

const selectSession = `SELECT ` + sessionColumns + ` FROM session WHERE id = $1`

// Session finds a session by id.
func (tx *Tx) Session(id string) (Session, error) {
	if tx.b != nil {
		if s, ok := tx.b.sessions[id]; ok {
			return s, nil
		}
	}
	found, err := tx.sessions(selectSession, id)
	if err != nil {
		return Session{}, err
	}
	if len(found) == 0 {
		return Session{}, fmt.Errorf("session: %w", fs.ErrNotExist)
	}
	return found[0], nil
}

// A later session has a higher layer.
const (
	selectSessions = `SELECT ` + sessionColumns + ` FROM session
		WHERE layer < $1 ORDER BY layer DESC LIMIT $2`
	selectOwnSessions = `SELECT ` + sessionColumns + ` FROM session
		WHERE issuer = $3 AND sub = $4 AND layer < $1 ORDER BY layer DESC LIMIT $2`
)

// Sessions lists an owner's sessions, newest first, starting after the id
// after ("" from the start). The zero Account lists everybody's. It is
// fs.ErrNotExist if there is no session after.
func (tx *Tx) Sessions(owner Account, after string, limit int) ([]Session, error) {
	if err := tx.settle(Live); err != nil {
		return nil, err
	}
	below := Layer(Live)
	if after != "" {
		s, err := tx.Session(after)
		if err != nil {
			return nil, err
		}
		below = s.Layer
	}
	if owner == (Account{}) {
		return tx.sessions(selectSessions, int64(below), limit)
	}
	return tx.sessions(selectOwnSessions, int64(below), limit, owner.Issuer, owner.Sub)
}

func (tx *Tx) sessions(query string, args ...any) (found []Session, err error) {
	err = tx.query(query, args, func(r sql.Row) error {
		s, err := scanSession(r)
		found = append(found, s)
		return err
	})
	return found, err
}

const selectLayer = `SELECT coalesce(max(layer), 1) FROM session`

// NewLayer is the layer the next session created gets; for use in a plan.
func (tx *Tx) NewLayer() (Layer, error) {
	var top Layer
	err := tx.query(selectLayer, nil, func(r sql.Row) error { return r.Scan(&top) })
	if tx.b != nil {
		for _, s := range tx.b.sessions {
			top = max(top, s.Layer)
		}
	}
	return top + 1, err
}

// session settles what a change says of a session: the row to write, and whether
// it is a new one. What was fixed at creation stays.
func (tx *Tx) session(want *Session, seq Seq) (s Session, isNew bool, err error) {
	s = *want
	if s.Freeze == 0 {
		s.Freeze = Live
	}
	old, err := tx.Session(s.ID)
	if err == nil {
		s.Layer, s.Owner, s.Born, s.Created = old.Layer, old.Owner, old.Born, old.Created
		s.Sealed = fromSealed(sealedNanos(s.Sealed))
		return s, false, nil
	}
	if !isNotExist(err) {
		return s, false, err
	}
	layer, err := tx.NewLayer()
	if err != nil {
		return s, false, err
	}
	if s.Layer == 0 {
		s.Layer = layer
	}
	if s.Layer != layer || s.ID == "" {
		return s, false, fmt.Errorf("new session %q: layer %d, want %d: %w", s.ID, s.Layer, layer, fs.ErrInvalid)
	}
	s.Born, s.Created = seq, tx.now
	s.Sealed = fromSealed(sealedNanos(s.Sealed))
	return s, true, nil
}
