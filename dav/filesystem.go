package dav

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"

	"golang.org/x/net/webdav"

	"varve/layers"
)

// FileSystem serves a View as a webdav.FileSystem, for programs that bring
// their own Handler of golang.org/x/net/webdav. It stands for one request,
// together with the Locks it makes, because lock tokens that the Locks confirmed
// are what its operations submit:
//
//	fs := dav.NewFileSystem(view, store.Limits())
//	h := &webdav.Handler{FileSystem: fs, LockSystem: fs.Locks(r.Context(), r.URL.Path)}
//	h.ServeHTTP(w, r)
//
// Each call is one operation of the View, so what that Handler does in two steps
// (MOVE over something: remove, then rename) is two changes. It is not for
// concurrent use.
type FileSystem struct {
	view   *layers.View
	limits layers.Limits
	tokens []string // confirmed for the request at hand
}

var _ webdav.FileSystem = (*FileSystem)(nil)

// NewFileSystem makes a FileSystem of v; limits are its store's.
func NewFileSystem(v *layers.View, limits layers.Limits) *FileSystem {
	return &FileSystem{view: v, limits: limits}
}

// cond submits the confirmed lock tokens.
func (f *FileSystem) cond() layers.Cond { return layers.Cond{Tokens: f.tokens} }

// clean makes a name of what a Handler passes on, which is as the URL had it.
func (f *FileSystem) clean(op, name string) (string, error) {
	_, spelled, err := f.limits.Clean(name)
	if err != nil {
		return "", &fs.PathError{Op: op, Path: name, Err: err}
	}
	return spelled, nil
}

// Mkdir makes a directory; fs.ErrNotExist if it has no parent.
func (f *FileSystem) Mkdir(ctx context.Context, name string, _ os.FileMode) error {
	name, err := f.clean("mkdir", name)
	if err != nil {
		return err
	}
	_, err = f.view.Mkdir(ctx, name, nil, f.cond())
	return osError(err)
}

// RemoveAll removes a name and what is below it; nothing there is no error.
func (f *FileSystem) RemoveAll(ctx context.Context, name string) error {
	name, err := f.clean("remove", name)
	if err != nil {
		return err
	}
	if _, err = f.view.Remove(ctx, name, f.cond()); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return osError(err)
}

// Rename moves a name, over a file that may be there.
func (f *FileSystem) Rename(ctx context.Context, oldName, newName string) error {
	from, err := f.clean("rename", oldName)
	if err != nil {
		return err
	}
	to, err := f.clean("rename", newName)
	if err != nil {
		return err
	}
	_, err = f.view.Move(ctx, from, to, layers.CopyOptions{Overwrite: true, Cond: f.cond()})
	return osError(err)
}

// Stat describes a name.
func (f *FileSystem) Stat(ctx context.Context, name string) (os.FileInfo, error) {
	name, err := f.clean("stat", name)
	if err != nil {
		return nil, err
	}
	e, err := f.view.Stat(ctx, name)
	if err != nil {
		return nil, osError(err)
	}
	return info{e}, nil
}

// OpenFile opens a name. One opened to be truncated is a whole new file: it
// shows when it is closed, or as soon as its ReadFrom has read all; a ReadFrom
// that fails leaves the old content. One opened to be written without truncating
// is for patching its properties.
func (f *FileSystem) OpenFile(ctx context.Context, name string, flag int, _ os.FileMode) (webdav.File, error) {
	name, err := f.clean("open", name)
	if err != nil {
		return nil, err
	}
	e, err := f.view.Stat(ctx, name)
	missing := errors.Is(err, fs.ErrNotExist)
	switch {
	case err != nil && !missing:
		return nil, osError(err)
	case missing && flag&os.O_CREATE == 0:
		return nil, osError(err)
	case !missing && flag&(os.O_CREATE|os.O_EXCL) == os.O_CREATE|os.O_EXCL:
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrExist}
	case missing:
		if _, err := f.view.Stat(ctx, path.Dir(name)); err != nil {
			return nil, osError(err)
		}
		return &newFile{fs: f, ctx: ctx, name: name}, nil
	case flag&os.O_TRUNC != 0 && e.IsDir():
		return nil, &fs.PathError{Op: "open", Path: name, Err: layers.ErrIsDir}
	case flag&os.O_TRUNC != 0:
		return &newFile{fs: f, ctx: ctx, name: name}, nil
	}
	return &openFile{fs: f, ctx: ctx, name: name, entry: e}, nil
}

// osError says what a Handler understands: it knows a missing parent only as
// fs.ErrNotExist.
func osError(err error) error {
	if errors.Is(err, layers.ErrNoParent) || errors.Is(err, layers.ErrNotDir) {
		return &fs.PathError{Op: "open", Path: "", Err: fs.ErrNotExist}
	}
	return err
}
