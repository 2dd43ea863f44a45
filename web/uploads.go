package web

import (
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"varve/authz"
	"varve/layers"
)

// maxParts is how many files one form may hold: what is small waits in memory
// until all are there.
const maxParts = 1000

// uploadForm describes the form of POST /api/uploads.
type uploadForm struct {
	Overwrite bool   `query:"overwrite" doc:"Replace files of the same names; without it they are a conflict"`
	Dir       string `query:"dir" doc:"Where files go before a field dir says otherwise; default: the root"`
	RawBody   huma.MultipartFormFiles[struct {
		Dir  string          `form:"dir" required:"false" doc:"Where the files after it go, without .."`
		File []huma.FormFile `form:"file" doc:"Named by its filename; any field will do"`
	}]
}

// uploaded is the answer to a form.
type uploaded struct {
	Files []written  `json:"files" nullable:"false"`
	Seq   layers.Seq `json:"seq" doc:"The one change that wrote them all"`
}

// upload is a form on its way in.
type upload struct {
	server *Server
	view   *layers.View
	r      *http.Request
	cond   layers.Cond
	dir    string // where the next file goes
	staged []*layers.Staged
}

// postUploads stores the files of a form in shared, as one change: all or none.
func (s *Server) postUploads(w *response, r *http.Request) error {
	overwrite, err := flag(r, "overwrite")
	if err != nil {
		return err
	}
	// Who may write nowhere at all need not send the form.
	view := s.view(r)
	if err := view.MayWrite(r.Context(), authz.From(r.Context()).Path); err != nil {
		return err
	}
	up := upload{server: s, view: view, r: r, dir: r.URL.Query().Get("dir")}
	if _, _, err := s.named("query.dir", up.dir); err != nil {
		return err
	}
	form, err := formOf(r)
	if err != nil {
		return fmt.Errorf("%w: %w", errMultipart, err)
	}
	if !overwrite {
		up.cond.IfNoneMatch = []string{"*"}
	}
	if err := up.receive(form); err != nil {
		for _, one := range up.staged {
			up.view.Drop(one)
		}
		return taken(err)
	}
	results, err := up.view.PutAll(r.Context(), up.staged)
	if err != nil {
		return taken(err)
	}
	var out uploaded
	for _, res := range results {
		out.Files = append(out.Files, toWritten(res))
		out.Seq = max(out.Seq, res.Seq)
	}
	return writeJSON(w, http.StatusCreated, out)
}

// formOf is the form in a request. Only its last boundary ends a form:
// mime/multipart takes a body that ends in the header of a part for the end, too.
func formOf(r *http.Request) (*multipart.Reader, error) {
	whole := r.WithContext(r.Context())
	whole.Body = io.NopCloser(io.MultiReader(r.Body, strings.NewReader("\r\n"), cutOff{}))
	return whole.MultipartReader()
}

// cutOff is read where nothing should be read any more.
type cutOff struct{}

func (cutOff) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// receive takes in all parts of the form.
func (u *upload) receive(form *multipart.Reader) error {
	for {
		part, err := form.NextRawPart()
		switch {
		case err == io.EOF && len(u.staged) == 0:
			return badInput("body", "want at least one part with a filename")
		case err == io.EOF:
			return nil
		case err != nil:
			return bodyError(err)
		case len(u.staged) == maxParts:
			return badInput("body", fmt.Sprintf("want at most %d files in a form", maxParts))
		}
		if err := u.take(part); err != nil {
			return err
		}
	}
}

// take receives a part if it is a file, or reads the field dir.
func (u *upload) take(part *multipart.Part) error {
	filename := part.FileName()
	if filename == "" {
		if part.FormName() != "dir" {
			return nil
		}
		b, err := io.ReadAll(io.LimitReader(part, int64(u.server.limits.Name)+1))
		if err != nil {
			return bodyError(err)
		}
		u.dir = string(b)
		_, _, err = u.server.named("body.dir", u.dir)
		return err
	}
	_, name, err := u.server.named("body.file", u.dir+"/"+filename)
	if err != nil {
		return err
	}
	one, err := u.view.Receive(u.r.Context(), name, layers.PutOptions{
		Body:   received{part},
		Length: -1,
		Type:   statedType(part.Header.Get("Content-Type")),
		Cond:   u.cond,
	})
	if err != nil {
		return err
	}
	u.staged = append(u.staged, one)
	return nil
}

// flag reads a query parameter that is there or not; "1", "true" and nothing
// after the name mean yes.
func flag(r *http.Request, name string) (bool, error) {
	q := r.URL.Query()
	if !q.Has(name) || q.Get(name) == "" {
		return q.Has(name), nil
	}
	yes, err := strconv.ParseBool(q.Get(name))
	if err != nil {
		return false, badInput("query."+name, "want 1 or 0")
	}
	return yes, nil
}
