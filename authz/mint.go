package authz

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"varve/history"
)

// Mint makes a JWT that carries at most by's own rights and term
// (ErrUnauthorized for more; a mount token mints nothing). What c leaves empty
// becomes what by can give of the default. Operators may mint for any user of
// varve's own. Whether c.Session exists and belongs to c.Sub is for the caller
// to know, unless by's issuer makes no sessions: then it has to. What was minted
// for whom is a change in the log.
func (a *Authority) Mint(ctx context.Context, by Principal, c Claims) (string, error) {
	now := a.now()
	p, err := by.derive(c, now, defaultTTL)
	if err == nil {
		err = a.checkMints(ctx, by, p)
	}
	if err != nil {
		return "", err
	}
	jti := newJTI()
	token, err := a.keys.sign(now, p.Issuer, jti, Claims{
		Sub: p.Sub, Session: p.Session, Scopes: p.Scopes, Path: p.Path, Aud: c.Aud, TTL: p.Expires.Sub(now),
	})
	if err != nil {
		return "", err
	}
	_, err = a.log.Commit(ctx, func(*history.Tx) (*history.Change, error) {
		return tokenChange(by, tokenDetail{
			Does: "mint", ID: jti, Issuer: p.Issuer, Sub: p.Sub, Session: p.Session, Scope: p.Scopes.String(),
			Path: p.Path, Expires: p.Expires.Unix(),
		})
	})
	if err != nil {
		return "", err
	}
	return token, nil
}

// checkMints refuses a token of varve's own, whose first write would make its
// session, to somebody whose own token does not do that.
func (a *Authority) checkMints(ctx context.Context, by, p Principal) error {
	if by.Mints || p.Session == "" {
		return nil
	}
	var s history.Session
	err := a.log.View(ctx, func(tx *history.Tx) (err error) {
		s, err = tx.Session(p.Session)
		return err
	})
	if errors.Is(err, fs.ErrNotExist) || err == nil && s.Owner != p.Account() {
		return fmt.Errorf("%w: a token for a session that is not there", ErrUnauthorized)
	}
	return err
}

// derive is the principal of a token that by asks for as c, with term in place
// of a zero TTL; a zero term stands for as long as by's own.
func (p Principal) derive(c Claims, now time.Time, term time.Duration) (Principal, error) {
	d := Principal{
		Issuer: p.Issuer, Sub: cmp.Or(c.Sub, p.Sub),
		Session: cmp.Or(c.Session, p.Session),
		Path:    cmp.Or(c.Path, p.Path),
		Scopes:  cmp.Or(c.Scopes, defaultScopes&p.Scopes),
	}
	if d.Sub != p.Sub {
		d.Issuer = ""
	}
	c.Sub, c.Session, c.Path, c.Scopes = d.Sub, d.Session, d.Path, d.Scopes
	if p.Mount || d.Scopes == 0 || !p.covers(d) {
		return Principal{}, fmt.Errorf("%w: a token with more than its maker's rights", ErrUnauthorized)
	}
	if err := c.check(); err != nil {
		return Principal{}, err
	}
	var err error
	d.Expires, err = p.term(c.TTL, now, term)
	return d, err
}

// term is when a token ends that p asks for.
func (p Principal) term(ttl time.Duration, now time.Time, usual time.Duration) (time.Time, error) {
	ends := p.Expires
	switch {
	case ttl != 0:
		ends = now.Add(ttl)
	case usual != 0:
		if ends = now.Add(usual); !p.Expires.IsZero() && p.Expires.Before(ends) {
			ends = p.Expires
		}
	}
	if !ends.IsZero() && !ends.After(now) || !p.Expires.IsZero() && ends.After(p.Expires) {
		return time.Time{}, fmt.Errorf("%w: a token beyond its maker's term", ErrUnauthorized)
	}
	return ends, nil
}

// covers tells whether q can do nothing that p cannot.
func (p Principal) covers(q Principal) bool {
	switch {
	case p.Sub == "" || !p.Scopes.Has(q.Scopes) || p.Reach(q.Path) != Inside:
		return false
	case p.Session != "" && p.Session != q.Session:
		return false
	case p.Account() == q.Account():
		return true
	}
	return p.operator() && q.Issuer == ""
}

// Revoke takes away the mount token or the JWT (its jti) named id, at once. It
// is a change in the log; revoking twice is none.
//
// Everybody may revoke the token they came with, and mount tokens with no more
// rights than their own; a user with scope write and no path, any of its
// account; an operator, any. Of others fs.ErrNotExist, and of what cannot be the
// id of a token of by's account: varve has no list of the JWTs it made.
func (a *Authority) Revoke(ctx context.Context, by Principal, id string) error {
	if by.Sub == "" {
		return fmt.Errorf("%w: nobody revokes nothing", ErrUnauthorized)
	}
	// Whether or not the log can tell that it has committed.
	defer a.cache.renew()
	if strings.HasPrefix(id, mountIDPrefix) {
		return a.revokeMount(ctx, by, id)
	}
	return a.revokeJWT(ctx, by, id)
}

// rules tells whether p speaks for its account, and not just for a part of it.
func (p Principal) rules() bool {
	return p.Session == "" && !p.Mount && p.Path == "." && p.Scopes.Has(Write)
}

const (
	// A row without sub counts for everybody's: an operator made it.
	selectRevoked = `SELECT 1 FROM revoked WHERE jti = $1 AND ((issuer = $2 AND sub = $3) OR sub = '')`
	insertRevoked = `INSERT INTO revoked (jti, issuer, sub, expires) VALUES ($1, $2, $3, $4)
		ON CONFLICT (jti, issuer, sub) DO UPDATE SET expires = excluded.expires`
	deleteRevoked = `DELETE FROM revoked WHERE expires < $1`
)

func (a *Authority) revokeJWT(ctx context.Context, by Principal, jti string) error {
	if err := checkText("token id", jti); err != nil || jti == "" {
		return notFound(jti)
	}
	account, expires := by.Account(), forEver
	switch {
	case jti == by.TokenID && !by.Expires.IsZero():
		expires = nanos(by.Expires.Add(a.leeway))
	case by.operator():
		account = history.Account{}
	case !by.rules() || by.Issuer == "" && !isJTI(jti):
		return notFound(jti)
	}
	_, err := a.log.Commit(ctx, func(tx *history.Tx) (*history.Change, error) {
		tx.Do(deleteRevoked, nanos(tx.Now().Add(-a.leeway)))
		tx.Do(insertRevoked, jti, account.Issuer, account.Sub, expires)
		return tokenChange(by, tokenDetail{Does: "revoke", ID: jti})
	})
	return err
}
