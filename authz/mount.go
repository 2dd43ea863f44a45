package authz

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io/fs"
	"math"
	"slices"
	"strings"
	"time"

	"varve/history"
	"varve/history/sql"
)

// A mount token is this and 26 characters that hold 130 random bits. Programs
// that look for leaked secrets know it by the prefix. Its id can be shown, and
// told from a jti.
const (
	mountPrefix   = "vm_"
	mountIDPrefix = "mt_"
)

// usedStep is how exact MountToken.LastUsed is.
const usedStep = time.Minute

// MountToken describes one; the token itself is shown only once.
type MountToken struct {
	ID       string
	Name     string // for people: "Finder on Ann's laptop"
	Account  history.Account
	Session  string
	Scopes   Scope
	Path     string
	Created  time.Time
	Expires  time.Time // zero: none
	LastUsed time.Time // zero: never; exact to a minute
	Agent    string    // User-Agent it was last used by
	Revoked  bool
}

// principal is who a mount token stands for.
func (m MountToken) principal() Principal {
	return Principal{
		Issuer: m.Account.Issuer, Sub: m.Account.Sub, Session: m.Session, Scopes: m.Scopes,
		Path: m.Path, TokenID: m.ID, Expires: m.Expires, Mount: true,
	}
}

const (
	mountColumns = `id, name, issuer, sub, session, scope, path, created, expires, last_used, user_agent, revoked`

	selectMountByHash  = `SELECT ` + mountColumns + ` FROM mount_token WHERE hash = $1`
	selectMountByID    = `SELECT ` + mountColumns + ` FROM mount_token WHERE id = $1`
	selectMountByOwner = `SELECT ` + mountColumns + ` FROM mount_token WHERE issuer = $1 AND sub = $2`

	insertMount = `INSERT INTO mount_token (hash, ` + mountColumns + `)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 0, '', 0)`
	revokeMount = `UPDATE mount_token SET revoked = $1 WHERE id = $2`
	useMount    = `UPDATE mount_token SET last_used = $1, user_agent = $2 WHERE id = $3 AND last_used < $1`
)

// mounts collects the rows of one of the queries above.
func mounts(tx *history.Tx, query string, args ...any) ([]MountToken, error) {
	var found []MountToken
	err := tx.Rows(query, args, func(row sql.Row) error {
		var m MountToken
		var scope string
		var created, expires, used, revoked int64
		err := row.Scan(&m.ID, &m.Name, &m.Account.Issuer, &m.Account.Sub, &m.Session, &scope, &m.Path,
			&created, &expires, &used, &m.Agent, &revoked)
		if err != nil {
			return err
		}
		if m.Scopes, err = ParseScopes(scope); err != nil {
			return fmt.Errorf("mount token %s: %w: %w", m.ID, history.ErrDamaged, err)
		}
		m.Created, m.Expires, m.LastUsed, m.Revoked = moment(created), moment(expires), moment(used), revoked != 0
		found = append(found, m)
		return nil
	})
	return found, err
}

// verifyMount is Verify of a mount token.
func (a *Authority) verifyMount(ctx context.Context, sum digest, now time.Time) (Principal, error) {
	var found []MountToken
	err := a.log.View(ctx, func(tx *history.Tx) (err error) {
		found, err = mounts(tx, selectMountByHash, sum[:])
		return err
	})
	switch {
	case err != nil:
		return Principal{}, fmt.Errorf("looking for a mount token: %w", err)
	case len(found) == 0:
		return Principal{}, fmt.Errorf("%w: no such mount token", ErrUnauthorized)
	case found[0].Revoked:
		return Principal{}, fmt.Errorf("%w: mount token %s is revoked", ErrUnauthorized, found[0].ID)
	case !found[0].Expires.IsZero() && !now.Before(found[0].Expires):
		return Principal{}, fmt.Errorf("%w: mount token %s has expired", ErrUnauthorized, found[0].ID)
	}
	p := found[0].principal()
	home, err := a.home(p.Issuer)
	if err != nil {
		return Principal{}, err
	}
	p.Mints = home.MintsSessions
	return home.limit(p), nil
}

// MintMount makes a mount token (at most 48 characters) with at most by's
// rights, as Mint does; it is a change in the log. Without a TTL it ends when
// by's token does, and never if that has no end.
func (a *Authority) MintMount(ctx context.Context, by Principal, name string, c Claims) (MountToken, string, error) {
	if err := checkText("name of a mount token", name); err != nil {
		return MountToken{}, "", err
	}
	p, err := by.derive(c, a.now(), 0)
	if err == nil {
		err = a.checkMints(ctx, by, p)
	}
	if err != nil {
		return MountToken{}, "", err
	}
	token := mountPrefix + strings.ToLower(rand.Text())
	sum := sha256.Sum256([]byte(token))
	m := MountToken{
		ID: mountIDPrefix + newJTI(), Name: name, Account: p.Account(), Session: p.Session,
		Scopes: p.Scopes, Path: p.Path, Expires: p.Expires,
	}
	change, err := a.log.Commit(ctx, func(tx *history.Tx) (*history.Change, error) {
		tx.Do(insertMount, sum[:], m.ID, m.Name, m.Account.Issuer, m.Account.Sub, m.Session,
			m.Scopes.String(), m.Path, nanos(tx.Now()), nanos(m.Expires))
		return tokenChange(by, tokenDetail{Does: "mint", ID: m.ID, Name: name, Session: m.Session})
	})
	if err != nil {
		return MountToken{}, "", err
	}
	m.Created = change.Time
	return m, token, nil
}

// Mounts lists the mount tokens of by's account that by may know of, newest
// first, those revoked or expired included.
func (a *Authority) Mounts(ctx context.Context, by Principal) ([]MountToken, error) {
	if by.Sub == "" {
		return nil, fmt.Errorf("%w: nobody has no mount tokens", ErrUnauthorized)
	}
	var found []MountToken
	err := a.log.View(ctx, func(tx *history.Tx) (err error) {
		found, err = mounts(tx, selectMountByOwner, by.Issuer, by.Sub)
		return err
	})
	if err != nil {
		return nil, err
	}
	found = slices.DeleteFunc(found, func(m MountToken) bool { return !by.knows(m) })
	slices.SortFunc(found, func(m, n MountToken) int { return n.Created.Compare(m.Created) })
	return found, nil
}

// knows tells whether p may know of m, which names a tree and a path in it: p's
// own session only, nothing outside of p's path, and no tree p may not see.
func (p Principal) knows(m MountToken) bool {
	return (p.Session == "" || p.Session == m.Session) && p.Reach(m.Path) == Inside &&
		Allows(p, See, Tree{Session: m.Session, Owner: m.Account})
}

func (a *Authority) revokeMount(ctx context.Context, by Principal, id string) error {
	_, err := a.log.Commit(ctx, func(tx *history.Tx) (*history.Change, error) {
		found, err := mounts(tx, selectMountByID, id)
		switch {
		case err != nil:
			return nil, err
		case len(found) == 0 || !by.revokes(found[0]):
			return nil, notFound(id)
		case found[0].Revoked:
			return nil, nil
		}
		tx.Do(revokeMount, nanos(tx.Now()), id)
		return tokenChange(by, tokenDetail{Does: "revoke", ID: id, Name: found[0].Name, Session: found[0].Session})
	})
	return err
}

// revokes tells whether p may revoke m.
func (p Principal) revokes(m MountToken) bool {
	if p.Mount {
		return p.TokenID == m.ID
	}
	return p.operator() || p.rules() && p.Account() == m.Account || p.covers(m.principal())
}

// Used notes that a mount token was used by a User-Agent, at most once a minute.
// It is not worth failing a request for, so it does not tell when it could not.
func (a *Authority) Used(ctx context.Context, p Principal, agent string) {
	if !p.Mount || !a.noteUse(p.TokenID) {
		return
	}
	agent = strings.ToValidUTF8(agent[:min(len(agent), maxText)], "")
	a.log.Commit(ctx, func(tx *history.Tx) (*history.Change, error) {
		tx.Do(useMount, nanos(tx.Now()), agent, p.TokenID)
		return nil, nil
	})
}

// noteUse tells whether the use of a mount token is to be written down now.
func (a *Authority) noteUse(id string) bool {
	now := a.now()
	a.using.Lock()
	defer a.using.Unlock()
	if last, ok := a.used[id]; ok && now.Sub(last) < usedStep {
		return false
	}
	if len(a.used) >= cacheSize {
		clear(a.used)
	}
	a.used[id] = now
	return true
}

// tokenDetail is what the log says of a token; never the token.
type tokenDetail struct {
	Does    string `json:"does"` // mint or revoke
	ID      string `json:"id"`
	Name    string `json:"name,omitempty"`
	Session string `json:"session,omitempty"`

	// Of a JWT, which no row tells of.
	Issuer  string `json:"idp,omitempty"`
	Sub     string `json:"sub,omitempty"`
	Scope   string `json:"scope,omitempty"`
	Path    string `json:"path,omitempty"`
	Expires int64  `json:"exp,omitempty"` // Unix seconds, as in the token
}

func tokenChange(by Principal, d tokenDetail) (*history.Change, error) {
	text, err := json.Marshal(d)
	return &history.Change{Actor: by.Actor(), Owner: by.Account(), Op: history.OpToken, Detail: string(text)}, err
}

func notFound(id string) error {
	return &fs.PathError{Op: "revoke", Path: id, Err: fs.ErrNotExist}
}

// forEver is as late as the store can say.
const forEver int64 = math.MaxInt64

// nanos is t as the store has it: Unix nanoseconds, 0 for the zero Time.
func nanos(t time.Time) int64 {
	switch {
	case t.IsZero():
		return 0
	case t.After(time.Unix(0, forEver)):
		return forEver
	}
	return t.UnixNano()
}

// moment is the time a column holds.
func moment(nanos int64) time.Time {
	if nanos == 0 {
		return time.Time{}
	}
	return time.Unix(0, nanos).UTC()
}
