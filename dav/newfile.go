package dav

import (
	"context"
	"encoding/xml"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"time"

	"golang.org/x/net/webdav"

	"varve/layers"
)

// newFile is a file being written. x/net's Handler copies a request's body into
// it with io.Copy and closes it whether that went well or not; only ReadFrom
// sees the error, so ReadFrom is what makes the file.
type newFile struct {
	fs    *FileSystem
	ctx   context.Context // of the request; webdav.File's methods have none
	name  string
	spool *os.File           // what Write got; has no name any more
	props []webdav.Proppatch // what Patch got, for Close
	done  *layers.Result
	err   error // of the write; Close repeats it
}

var (
	_ webdav.File            = (*newFile)(nil)
	_ webdav.DeadPropsHolder = (*newFile)(nil)
	_ io.ReaderFrom          = (*newFile)(nil)
)

// ReadFrom makes the file of what r holds. If r fails, nothing was changed.
func (f *newFile) ReadFrom(r io.Reader) (int64, error) {
	if f.done != nil || f.spool != nil || f.err != nil {
		return 0, errors.Join(f.err, &fs.PathError{Op: "write", Path: f.name, Err: fs.ErrInvalid})
	}
	f.put(r, -1)
	if f.err != nil {
		return 0, f.err
	}
	return f.done.Entry.Size(), nil
}

// Write gathers content for Close.
func (f *newFile) Write(p []byte) (int, error) {
	if f.done != nil || f.err != nil {
		return 0, errors.Join(f.err, &fs.PathError{Op: "write", Path: f.name, Err: fs.ErrInvalid})
	}
	if f.spool == nil {
		if f.spool, f.err = os.CreateTemp("", "varve-"); f.err != nil {
			return 0, f.err
		}
		// Without a name it goes away with the process, however that ends.
		if f.err = os.Remove(f.spool.Name()); f.err != nil {
			return 0, f.err
		}
	}
	n, err := f.spool.Write(p)
	f.err = err
	return n, err
}

// Close makes the file of what Write gathered; nothing at all is an empty file.
func (f *newFile) Close() error {
	if f.spool != nil {
		defer f.spool.Close()
	}
	switch {
	case f.err != nil || f.done != nil:
	case f.spool == nil:
		f.put(eof{}, 0)
	default:
		size, err := f.spool.Seek(0, io.SeekCurrent)
		if err == nil {
			_, err = f.spool.Seek(0, io.SeekStart)
		}
		if f.err = err; err == nil {
			f.put(f.spool, size)
		}
	}
	if f.err == nil && len(f.props) > 0 {
		_, f.err = f.fs.patch(f.ctx, f.name, f.props)
	}
	return f.err
}

// DeadProps are none: the file is new.
func (f *newFile) DeadProps() (map[xml.Name]webdav.Property, error) { return nil, nil }

// Patch keeps the dead properties for Close: a Handler sets those of a copy
// before it closes it.
func (f *newFile) Patch(patches []webdav.Proppatch) ([]webdav.Propstat, error) {
	f.props = append(f.props, patches...)
	patch := propPatch(patches)
	_, _, refused := sortPatch(patch)
	return propstats(patch, refused), nil
}

// eof reads nothing.
type eof struct{}

func (eof) Read([]byte) (int, error) { return 0, io.EOF }

func (f *newFile) put(r io.Reader, length int64) {
	done, err := f.fs.view.Put(f.ctx, f.name, layers.PutOptions{Body: r, Length: length, Cond: f.fs.cond()})
	if f.err = err; err == nil {
		f.done = &done
	}
}

func (f *newFile) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: f.name, Err: fs.ErrInvalid}
}

func (f *newFile) Seek(int64, int) (int64, error) {
	return 0, &fs.PathError{Op: "seek", Path: f.name, Err: fs.ErrInvalid}
}

func (f *newFile) Readdir(int) ([]os.FileInfo, error) {
	return nil, &fs.PathError{Op: "readdir", Path: f.name, Err: fs.ErrInvalid}
}

// Stat describes the file as it is when asked, also after Close: the Handler
// takes it before and asks it for the ETag after.
func (f *newFile) Stat() (os.FileInfo, error) { return newInfo{f}, nil }

// newInfo describes a newFile.
type newInfo struct{ f *newFile }

var _ webdav.ETager = newInfo{}

func (i newInfo) entry() layers.Entry {
	if i.f.done == nil {
		return layers.Entry{Name: i.f.name, Base: path.Base(i.f.name)}
	}
	return i.f.done.Entry
}

func (i newInfo) Name() string       { return i.entry().Base }
func (i newInfo) Size() int64        { return i.entry().Size() }
func (i newInfo) Mode() os.FileMode  { return 0o644 }
func (i newInfo) ModTime() time.Time { return i.entry().Modified }
func (i newInfo) IsDir() bool        { return false }
func (i newInfo) Sys() any           { return i.entry() }

// ETag is that of the content written.
func (i newInfo) ETag(context.Context) (string, error) {
	if i.f.done == nil {
		return "", webdav.ErrNotImplemented
	}
	return i.f.done.Entry.ETag, nil
}
