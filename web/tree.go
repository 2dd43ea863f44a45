package web

import (
	"errors"
	"io/fs"
	"net/http"
	"path"

	"varve/layers"
)

// transfer is what move and copy take.
type transfer struct {
	From      string `json:"from" minLength:"1" doc:"Path in the tree, without .."`
	To        string `json:"to" minLength:"1" doc:"Path in the same tree, without .."`
	Overwrite bool   `json:"overwrite,omitempty" doc:"Replace what is at to; without it that is a conflict"`
}

// mkdirInput is what mkdir takes.
type mkdirInput struct {
	Name    string `json:"name" minLength:"1" doc:"Path in the tree, without .."`
	Parents bool   `json:"parents,omitempty" doc:"Make missing parents too, and be content if it exists"`
}

// move moves a file or directory.
func (s *Server) move(r *http.Request, in *body[transfer]) (*answer[written], error) {
	from, to, err := s.ends(in.Body)
	if err != nil {
		return nil, err
	}
	res, err := s.view(r).Move(r.Context(), from, to, layers.CopyOptions{Overwrite: in.Body.Overwrite})
	return did(res, taken(err))
}

// copy copies a file or directory.
func (s *Server) copy(r *http.Request, in *body[transfer]) (*answer[written], error) {
	from, to, err := s.ends(in.Body)
	if err != nil {
		return nil, err
	}
	v := s.view(r)
	res, err := v.Copy(r.Context(), v, from, to, layers.CopyOptions{Overwrite: in.Body.Overwrite})
	return did(res, taken(err))
}

// mkdir makes a directory, and its parents if that was asked for.
func (s *Server) mkdir(r *http.Request, in *body[mkdirInput]) (*answer[written], error) {
	_, name, err := s.named("body.name", in.Body.Name)
	if err != nil {
		return nil, err
	}
	if in.Body.Parents {
		return did(s.view(r).MkdirAll(r.Context(), name))
	}
	return did(s.view(r).Mkdir(r.Context(), name, nil, layers.Cond{}))
}

// ends cleans both ends of a transfer.
func (s *Server) ends(t transfer) (from, to string, err error) {
	if _, from, err = s.named("body.from", t.From); err != nil {
		return "", "", err
	}
	_, to, err = s.named("body.to", t.To)
	return from, to, err
}

// taken names what a transfer without overwrite ran into: WebDAV calls it a
// precondition, JSON a name that is taken.
func taken(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok && errors.Is(err, layers.ErrPrecondition) {
		return &fs.PathError{Op: pe.Op, Path: path.Clean(pe.Path), Err: fs.ErrExist}
	}
	return err
}

// did answers a write: 201 if it made something that was not there.
func did(res layers.Result, err error) (*answer[written], error) {
	if err != nil {
		return nil, err
	}
	status := http.StatusOK
	if res.Created {
		status = http.StatusCreated
	}
	return &answer[written]{status, toWritten(res)}, nil
}
