package dav

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"strings"

	"varve/layers"
)

// davNS is the namespace of RFC 4918.
const davNS = "DAV:"

// maxAsked bounds how many properties one PROPFIND may name, and maxAskedBytes
// what they are called together: each is answered for each entry.
const (
	maxAsked      = 256
	maxAskedBytes = 16 << 10
)

// body reads a whole XML body of at most limit bytes.
func body(r *http.Request, limit int64) ([]byte, error) {
	tooLarge := &refusal{status: http.StatusRequestEntityTooLarge, hint: "the body is too large for this method"}
	if r.ContentLength > limit {
		return nil, tooLarge
	}
	b, err := io.ReadAll(io.LimitReader(r.Body, limit+1))
	var over *http.MaxBytesError
	switch {
	case errors.As(err, &over), int64(len(b)) > limit:
		return nil, tooLarge
	case err != nil:
		return nil, errors.Join(errBody, err)
	}
	return b, nil
}

// asked is what a PROPFIND asks for.
type asked struct {
	all   bool       // every property, and props besides
	names bool       // only what they are called
	props []xml.Name // asked by name
}

// parsePropfind reads a propfind element; an empty body asks for all (RFC 4918,
// section 9.1).
func parsePropfind(body []byte, deep int) (asked, error) {
	var a asked
	if len(bytes.TrimSpace(body)) == 0 {
		a.all = true
		return a, nil
	}
	x := newXMLReader(body, deep)
	if root, err := x.root(); err != nil || root != (xml.Name{Space: davNS, Local: "propfind"}) {
		return a, orError(err, bad("the body is no DAV:propfind"))
	}
	var kinds int
	for {
		name, ok, err := x.child()
		if err != nil {
			return a, err
		}
		if !ok {
			break
		}
		switch name {
		case xml.Name{Space: davNS, Local: "allprop"}:
			a.all, kinds = true, kinds+1
			err = x.skip()
		case xml.Name{Space: davNS, Local: "propname"}:
			a.names, kinds = true, kinds+1
			err = x.skip()
		case xml.Name{Space: davNS, Local: "prop"}:
			kinds++
			err = x.names(&a.props)
		case xml.Name{Space: davNS, Local: "include"}:
			err = x.names(&a.props)
		default:
			err = x.skip()
		}
		if err != nil {
			return a, err
		}
	}
	if kinds != 1 {
		return a, bad("a DAV:propfind holds one of allprop, propname and prop")
	}
	return a, x.end()
}

// names reads the names of the children of the innermost element.
func (x *xmlReader) names(to *[]xml.Name) error {
	var size int
	for {
		name, ok, err := x.child()
		if err != nil || !ok {
			return err
		}
		if size += len(name.Space) + len(name.Local); len(*to) >= maxAsked || size > maxAskedBytes {
			return bad("too many properties asked for at once")
		}
		*to = append(*to, name)
		if err := x.skip(); err != nil {
			return err
		}
	}
}

// parsePropertyUpdate reads the body of a PROPPATCH: what to set and remove, in
// its order.
func parsePropertyUpdate(body []byte, deep int) ([]layers.PropPatch, error) {
	x := newXMLReader(body, deep)
	root, err := x.root()
	if err != nil || root != (xml.Name{Space: davNS, Local: "propertyupdate"}) {
		return nil, orError(err, bad("the body is no DAV:propertyupdate"))
	}
	patch, err := x.updates(true)
	if err == nil && len(patch) == 0 {
		err = bad("the DAV:propertyupdate changes nothing")
	}
	return patch, orError(err, x.end())
}

// parseMkcol reads the body of an extended MKCOL (RFC 5689).
func parseMkcol(body []byte, deep int) ([]layers.PropPatch, error) {
	x := newXMLReader(body, deep)
	root, err := x.root()
	if err != nil {
		return nil, err
	}
	if root != (xml.Name{Space: davNS, Local: "mkcol"}) {
		return nil, &refusal{status: http.StatusUnsupportedMediaType, hint: "MKCOL takes no body, or a DAV:mkcol"}
	}
	patch, err := x.updates(false)
	return patch, orError(err, x.end())
}

// updates reads the set and remove children of the innermost element.
func (x *xmlReader) updates(mayRemove bool) ([]layers.PropPatch, error) {
	var patch []layers.PropPatch
	for {
		name, ok, err := x.child()
		if err != nil || !ok {
			return patch, err
		}
		remove := mayRemove && name.Local == "remove"
		if name.Space != davNS || name.Local != "set" && !remove {
			err = x.skip()
		} else {
			err = x.update(&patch, remove)
		}
		if err != nil {
			return nil, err
		}
	}
}

// update reads the prop children of one set or remove.
func (x *xmlReader) update(patch *[]layers.PropPatch, remove bool) error {
	for {
		name, ok, err := x.child()
		if err != nil || !ok {
			return err
		}
		if name != (xml.Name{Space: davNS, Local: "prop"}) {
			if err := x.skip(); err != nil {
				return err
			}
			continue
		}
		for {
			name, ok, err := x.child()
			if err != nil {
				return err
			}
			if !ok {
				break
			}
			p := layers.PropPatch{Remove: remove}
			p.Space, p.Local, p.Lang = name.Space, name.Local, x.lang()
			if p.Value, err = x.inner(); err != nil {
				return err
			}
			*patch = append(*patch, p)
		}
	}
}

// lockInfo is what a LOCK asks for.
type lockInfo struct {
	shared bool
	owner  string // inner XML
}

// parseLockInfo reads a lockinfo element.
func parseLockInfo(body []byte, deep int) (lockInfo, error) {
	var (
		info         lockInfo
		scope, write bool
	)
	x := newXMLReader(body, deep)
	if root, err := x.root(); err != nil || root != (xml.Name{Space: davNS, Local: "lockinfo"}) {
		return info, orError(err, bad("the body is no DAV:lockinfo"))
	}
	for {
		name, ok, err := x.child()
		if err != nil {
			return info, err
		}
		if !ok {
			break
		}
		var inside []xml.Name
		switch name {
		case xml.Name{Space: davNS, Local: "lockscope"}:
			err = x.names(&inside)
			info.shared = contains(inside, "shared")
			scope = info.shared || contains(inside, "exclusive")
		case xml.Name{Space: davNS, Local: "locktype"}:
			err = x.names(&inside)
			write = contains(inside, "write")
		case xml.Name{Space: davNS, Local: "owner"}:
			info.owner, err = x.inner()
			info.owner = strings.TrimSpace(info.owner)
		default:
			err = x.skip()
		}
		if err != nil {
			return info, err
		}
	}
	if !scope || !write {
		return info, bad("a lock here is a write lock, exclusive or shared")
	}
	return info, x.end()
}

// contains tells whether a DAV: element is among names.
func contains(names []xml.Name, local string) bool {
	for _, n := range names {
		if n == (xml.Name{Space: davNS, Local: local}) {
			return true
		}
	}
	return false
}

// orError is err, or instead if err is nil.
func orError(err, instead error) error {
	if err != nil {
		return err
	}
	return instead
}
