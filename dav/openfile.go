package dav

import (
	"context"
	"encoding/xml"
	"io"
	"io/fs"
	"net/http"
	"os"
	"time"

	"golang.org/x/net/webdav"

	"varve/layers"
)

// openFile is an existing entry, open for reading.
type openFile struct {
	fs      *FileSystem
	ctx     context.Context // of the request; webdav.File's methods have none
	name    string
	entry   layers.Entry
	content *layers.File  // opened by the first Read or Seek
	left    []os.FileInfo // what Readdir has still to give
	listed  bool
}

var (
	_ webdav.File            = (*openFile)(nil)
	_ webdav.DeadPropsHolder = (*openFile)(nil)
)

func (f *openFile) open() error {
	if f.content != nil {
		return nil
	}
	if f.entry.IsDir() {
		return &fs.PathError{Op: "read", Path: f.name, Err: layers.ErrIsDir}
	}
	var err error
	f.content, err = f.fs.view.Open(f.ctx, f.name)
	return err
}

func (f *openFile) Read(p []byte) (int, error) {
	if err := f.open(); err != nil {
		return 0, err
	}
	return f.content.Content.Read(p)
}

func (f *openFile) Seek(offset int64, whence int) (int64, error) {
	if err := f.open(); err != nil {
		return 0, err
	}
	return f.content.Content.Seek(offset, whence)
}

func (f *openFile) Write([]byte) (int, error) {
	return 0, &fs.PathError{Op: "write", Path: f.name, Err: fs.ErrInvalid}
}

func (f *openFile) Close() error {
	if f.content == nil {
		return nil
	}
	return f.content.Close()
}

func (f *openFile) Stat() (os.FileInfo, error) { return info{f.entry}, nil }

// Readdir lists as os.File.Readdir does.
func (f *openFile) Readdir(count int) ([]os.FileInfo, error) {
	if !f.listed {
		l, err := f.fs.view.List(f.ctx, f.name, layers.ListOptions{Entries: true})
		if err != nil {
			return nil, err
		}
		for _, e := range l.Entries {
			f.left = append(f.left, info{e})
		}
		f.listed = true
	}
	return take(&f.left, count)
}

// take removes and returns the first count of left, as os.File.Readdir counts.
func take(left *[]os.FileInfo, count int) ([]os.FileInfo, error) {
	if count <= 0 {
		all := *left
		*left = nil
		return all, nil
	}
	if len(*left) == 0 {
		return nil, io.EOF
	}
	n := min(count, len(*left))
	first := (*left)[:n]
	*left = (*left)[n:]
	return first, nil
}

// DeadProps are the dead properties.
func (f *openFile) DeadProps() (map[xml.Name]webdav.Property, error) {
	props := make(map[xml.Name]webdav.Property)
	for _, p := range f.entry.Version.Props {
		props[nameOf(p)] = webdav.Property{XMLName: nameOf(p), Lang: p.Lang, InnerXML: []byte(p.Value)}
	}
	return props, nil
}

// Patch sets and removes dead properties, all or none.
func (f *openFile) Patch(patches []webdav.Proppatch) ([]webdav.Propstat, error) {
	return f.fs.patch(f.ctx, f.name, patches)
}

// patch sets and removes dead properties of a name, all or none.
func (f *FileSystem) patch(ctx context.Context, name string, patches []webdav.Proppatch) ([]webdav.Propstat, error) {
	patch := propPatch(patches)
	dead, mtime, refused := sortPatch(patch)
	if len(refused) == 0 {
		if _, err := f.view.SetProps(ctx, name, dead, mtime, f.cond()); err != nil {
			return nil, err
		}
	}
	return propstats(patch, refused), nil
}

// propPatch is a patch in the View's words.
func propPatch(patches []webdav.Proppatch) []layers.PropPatch {
	var patch []layers.PropPatch
	for _, group := range patches {
		for _, p := range group.Props {
			patch = append(patch, layers.PropPatch{Remove: group.Remove, Prop: layers.Prop{
				Space: p.XMLName.Space, Local: p.XMLName.Local, Lang: p.Lang, Value: string(p.InnerXML),
			}})
		}
	}
	return patch
}

// propstats is what became of a patch.
func propstats(patch []layers.PropPatch, refused map[xml.Name]string) []webdav.Propstat {
	ok := webdav.Propstat{Status: http.StatusOK}
	if len(refused) > 0 {
		ok.Status = http.StatusFailedDependency
	}
	failed := webdav.Propstat{Status: http.StatusForbidden}
	for _, p := range patch {
		to := &ok
		if _, is := refused[nameOf(p.Prop)]; is {
			to = &failed
		}
		to.Props = append(to.Props, webdav.Property{XMLName: nameOf(p.Prop)})
	}
	var all []webdav.Propstat
	for _, s := range []webdav.Propstat{failed, ok} {
		if len(s.Props) > 0 {
			all = append(all, s)
		}
	}
	return all
}

// info is an Entry as an os.FileInfo; a Handler takes its ETag and type from it
// instead of reading the file.
type info struct{ layers.Entry }

var (
	_ webdav.ETager       = info{}
	_ webdav.ContentTyper = info{}
)

func (i info) Name() string       { return i.Base }
func (i info) Sys() any           { return i.Entry }
func (i info) ModTime() time.Time { return i.Modified }

func (i info) Mode() os.FileMode {
	if i.IsDir() {
		return fs.ModeDir | 0o755
	}
	return 0o644
}

// ETag is the View's.
func (i info) ETag(context.Context) (string, error) { return i.Entry.ETag, nil }

// ContentType is what a client said, or by name.
func (i info) ContentType(context.Context) (string, error) { return mediaType(i.Entry), nil }
