package web

import (
	"net/http"
	"strconv"
	"time"

	"varve/authz"
	"varve/layers"
)

// session is a session in JSON.
type session struct {
	ID      string      `json:"id"`
	Owner   string      `json:"owner" doc:"The user whose session it is"`
	Issuer  string      `json:"issuer,omitempty" doc:"Who vouches for the owner; absent for varve's own"`
	Name    string      `json:"name" doc:"What people call it"`
	Created time.Time   `json:"created"`
	Ended   *time.Time  `json:"ended,omitempty" doc:"Absent while it is active"`
	Freeze  *layers.Seq `json:"freeze,omitempty" doc:"The change it sees shared at; absent: as it is now"`
	DAV     string      `json:"dav" doc:"Where its view is over WebDAV"`
	Token   string      `json:"token,omitempty" doc:"Shown once, when it is created; not to a mount token, which makes none"`
	Mount   []Mount     `json:"mount,omitempty" doc:"How to mount it, shown with the token"`
	Note    string      `json:"note,omitempty" doc:"What a mount token, which gets no token and no commands, can do"`
}

// newSession is what creating a session takes.
type newSession struct {
	ID   string `json:"id,omitempty" pattern:"^([A-Za-z0-9_-]{8,64})?$" doc:"Empty or absent: 128 random bits are made. Ids are never reused"`
	Name string `json:"name,omitempty" maxLength:"255"`
	TTL  string `json:"ttl,omitempty" pattern:"^([1-9][0-9]{0,4}[smhd])?$" example:"12h" doc:"How long its token lives; default 24 h, at most as long as the caller's"`
}

// sessionPage is a page of sessions.
type sessionPage struct {
	Sessions []session `json:"sessions" nullable:"false"`
	Next     string    `json:"next,omitempty" doc:"Pass as after to get the next page; absent on the last"`
}

// newName is what renaming a session takes.
type newName struct {
	Name string `json:"name" maxLength:"255"`
}

// bySID is an input that names a session by its URL.
type bySID struct {
	SID string `path:"sid"`
}

// createSession creates a session of the caller's.
func (s *Server) createSession(r *http.Request, in *struct{ Body *newSession }) (*answer[session], error) {
	var want newSession
	if in.Body != nil {
		want = *in.Body
	}
	if want.ID == "" {
		want.ID = layers.NewSessionID()
	}
	// The token first: if it cannot be had there shall be no session either.
	who, token := caller(r), ""
	if !who.Mount {
		var err error
		token, err = s.cfg.Authority.Mint(r.Context(), who.Principal, authz.Claims{Session: want.ID, TTL: duration(want.TTL)})
		if err != nil {
			return nil, beyond(err)
		}
	}
	made, err := s.cfg.Store.CreateSession(r.Context(), who, want.ID, want.Name)
	if err != nil {
		return nil, err
	}
	j := s.toSession(r, made)
	if token == "" {
		j.Note = "a mount token makes no other token: mint one for this session with a token of its owner, POST /api/tokens"
	} else {
		j.Token, j.Mount = token, Mounts(s.base(r), token)
	}
	return &answer[session]{http.StatusCreated, j}, nil
}

// listSessions lists the sessions the caller may know of.
func (s *Server) listSessions(r *http.Request, in *listQuery) (*body[sessionPage], error) {
	limit := s.limits.Page
	if in.Limit > 0 {
		limit = min(in.Limit, limit)
	}
	found, err := s.cfg.Store.Sessions(r.Context(), caller(r), in.After, limit+1)
	if err != nil {
		return nil, err
	}
	out := &body[sessionPage]{sessionPage{Sessions: []session{}}}
	if len(found) > limit {
		found = found[:limit]
		out.Body.Next = found[limit-1].ID
	}
	for _, one := range found {
		out.Body.Sessions = append(out.Body.Sessions, s.toSession(r, one))
	}
	return out, nil
}

// showSession shows a session.
func (s *Server) showSession(r *http.Request, in *bySID) (*body[session], error) {
	one, err := s.cfg.Store.Session(r.Context(), caller(r), in.SID)
	return &body[session]{s.toSession(r, one)}, err
}

// renameSession sets what people call a session.
func (s *Server) renameSession(r *http.Request, in *struct {
	SID  string `path:"sid"`
	Body newName
}) (*body[session], error) {
	one, err := s.cfg.Store.RenameSession(r.Context(), caller(r), in.SID, in.Body.Name)
	return &body[session]{s.toSession(r, one)}, err
}

// endSession ends a session.
func (s *Server) endSession(r *http.Request, in *bySID) (*body[session], error) {
	one, err := s.cfg.Store.EndSession(r.Context(), caller(r), in.SID)
	return &body[session]{s.toSession(r, one)}, err
}

// toSession says in JSON what one is.
func (s *Server) toSession(r *http.Request, one layers.Session) session {
	j := session{
		ID: one.ID, Owner: one.Owner.Sub, Issuer: one.Owner.Issuer, Name: one.Name,
		Created: one.Created.UTC(), DAV: s.base(r) + "/sessions/" + one.ID + "/",
	}
	if !one.Sealed.IsZero() {
		ended := one.Sealed.UTC()
		j.Ended = &ended
	}
	if one.Freeze != layers.Live && one.Freeze != 0 {
		j.Freeze = &one.Freeze
	}
	return j
}

// duration reads what the pattern of a ttl lets through; "" is 0.
func duration(ttl string) time.Duration {
	if ttl == "" {
		return 0
	}
	unit := map[byte]time.Duration{'s': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour}
	n, err := strconv.Atoi(ttl[:len(ttl)-1])
	if err != nil {
		return 0
	}
	return time.Duration(n) * unit[ttl[len(ttl)-1]]
}
