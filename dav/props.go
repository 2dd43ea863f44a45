package dav

import (
	"encoding/hex"
	"encoding/xml"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"

	"varve/layers"
)

// Namespaces of properties beside DAV:.
const (
	varveNS = "urn:varve"
	ocNS    = "http://owncloud.org/ns"
	msNS    = "urn:schemas-microsoft-com:"
	sarNS   = "SAR:" // Cyberduck and the Sardine library
)

// live is a property whose value the server knows by itself.
type live uint8

// The live properties, in the order they are answered in.
const (
	resourceType live = iota
	displayName
	contentLength
	contentType
	etag
	lastModified
	creationDate
	quotaAvailable
	quotaUsed
	supportedLock
	lockDiscovery
	// The rest is answered only when asked for by name.
	currentUserPrincipal
	davModified
	sarModified
	varveLayer
	varveNode
	varveVersion
	varveOrigin
	varveShadowChanged
	varveSHA256
	ocChecksums
	ocPermissions
	ocFileID
	lives // how many there are

	allLive = currentUserPrincipal // how many an allprop answers
)

// liveNames is what they are called.
var liveNames = [lives]xml.Name{
	resourceType:         {Space: davNS, Local: "resourcetype"},
	displayName:          {Space: davNS, Local: "displayname"},
	contentLength:        {Space: davNS, Local: "getcontentlength"},
	contentType:          {Space: davNS, Local: "getcontenttype"},
	etag:                 {Space: davNS, Local: "getetag"},
	lastModified:         {Space: davNS, Local: "getlastmodified"},
	creationDate:         {Space: davNS, Local: "creationdate"},
	quotaAvailable:       {Space: davNS, Local: "quota-available-bytes"},
	quotaUsed:            {Space: davNS, Local: "quota-used-bytes"},
	supportedLock:        {Space: davNS, Local: "supportedlock"},
	lockDiscovery:        {Space: davNS, Local: "lockdiscovery"},
	currentUserPrincipal: {Space: davNS, Local: "current-user-principal"},
	davModified:          {Space: davNS, Local: "lastmodified"}, // rclone sets it
	sarModified:          {Space: sarNS, Local: "lastmodified"}, // Cyberduck sets it
	varveLayer:           {Space: varveNS, Local: "layer"},
	varveNode:            {Space: varveNS, Local: "node"},
	varveVersion:         {Space: varveNS, Local: "version"},
	varveOrigin:          {Space: varveNS, Local: "origin"},
	varveShadowChanged:   {Space: varveNS, Local: "shadow-changed"},
	varveSHA256:          {Space: varveNS, Local: "sha256"},
	ocChecksums:          {Space: ocNS, Local: "checksums"},
	ocPermissions:        {Space: ocNS, Local: "permissions"},
	ocFileID:             {Space: ocNS, Local: "fileid"},
}

// liveByName finds a live property; ok is false for a dead one.
func liveByName(n xml.Name) (p live, ok bool) {
	for p := range lives {
		if liveNames[p].Local == n.Local && liveNames[p].Space == n.Space {
			return p, true
		}
	}
	return 0, false
}

// resource is an entry to be described, or a list of trees.
type resource struct {
	layers.Entry
	dir  bool
	list bool // not in any tree: no locks
}

// sheet is what all resources of one answer have in common.
type sheet struct {
	target
	h        *Handler
	now      time.Time
	writable bool
	locks    []layers.Lock
	quota    bool // Used and Available are known
	used     int64
	left     int64
}

// appendLive writes the value of p, without its element; ok is false when e has
// no such property.
func (s *sheet) appendLive(b []byte, p live, e *resource) (out []byte, ok bool) {
	switch p {
	case resourceType:
		if e.dir {
			b = append(b, "<D:collection/>"...)
		}
	case displayName:
		b = appendText(b, e.Base)
	case lastModified, davModified, sarModified:
		if e.Modified.IsZero() {
			return b, false
		}
		b = appendHTTPTime(b, e.Modified)
	case creationDate:
		born := e.Version.Born
		if born.IsZero() {
			return b, false
		}
		b = appendRFC3339(b, born)
	case etag:
		return append(b, e.ETag...), e.ETag != ""
	case quotaAvailable:
		return strconv.AppendInt(b, s.left, 10), e.dir && s.quota
	case quotaUsed:
		return strconv.AppendInt(b, s.used, 10), e.dir && s.quota
	case lockDiscovery:
		return s.appendLocks(b, e.Name), !e.list
	case supportedLock:
		return append(b, supportedLocks...), !e.list
	case currentUserPrincipal:
		b = append(b, "<D:href>"...)
		b = appendHref(b, s.h.prefix+"/api/me")
		b = append(b, "</D:href>"...)
	default:
		if e.list {
			return b, false
		}
		return s.appendEntry(b, p, e)
	}
	return b, true
}

// appendEntry is appendLive for what only entries of a tree have.
func (s *sheet) appendEntry(b []byte, p live, e *resource) (out []byte, ok bool) {
	switch p {
	case varveLayer:
		return append(b, e.Source...), true
	case varveNode, ocFileID:
		return strconv.AppendInt(b, int64(e.Version.Node), 10), true
	case varveVersion:
		return strconv.AppendInt(b, int64(e.Version.Seq), 10), true
	case varveOrigin:
		o := e.Version.Origin
		b = strconv.AppendInt(b, int64(o.Node), 10)
		b = append(b, '/')
		return strconv.AppendInt(b, int64(o.Seq), 10), o.Seq != 0
	case varveShadowChanged:
		if e.Shadowed {
			return append(b, '1'), true
		}
		return append(b, '0'), true
	case ocPermissions:
		return append(b, s.permissions(e.dir)...), true
	}
	if e.dir {
		return b, false
	}
	switch p {
	case contentLength:
		b = strconv.AppendInt(b, e.Size(), 10)
	case contentType:
		b = appendText(b, mediaType(e.Entry))
	case varveSHA256:
		b = hex.AppendEncode(b, e.Version.Content.Ref[:])
	case ocChecksums:
		b = append(b, "<O:checksum>SHA1:"...)
		b = hex.AppendEncode(b, e.Version.Content.SHA1[:])
		b = append(b, " MD5:"...)
		b = hex.AppendEncode(b, e.Version.Content.MD5[:])
		b = append(b, "</O:checksum>"...)
	}
	return b, true
}

// permissions is ownCloud's: delete, rename, move, and write or create.
func (s *sheet) permissions(dir bool) string {
	switch {
	case !s.writable:
		return ""
	case dir:
		return "DNVCK"
	}
	return "DNVW"
}

// deadValue is the inner XML of a dead property of e. Explorer sets the time of
// modification under a name of its own; whoever changed the file since, it reads
// the time that is true.
func deadValue(e *resource, space, local, value string) string {
	if space == msNS && local == "Win32LastModifiedTime" && !e.Modified.IsZero() {
		return e.Modified.UTC().Format(http.TimeFormat)
	}
	return value
}

// mediaType is what a client said a file is, or what its name says.
func mediaType(e layers.Entry) string {
	if e.Version.Type != "" {
		return e.Version.Type
	}
	if t := mime.TypeByExtension(path.Ext(e.Base)); t != "" {
		return t
	}
	return "application/octet-stream"
}

// givenType is the media type a request's Content-Type states, or "" for the
// ones that tools send without looking at the file.
func givenType(header http.Header) string {
	t, params, err := mime.ParseMediaType(header.Get("Content-Type"))
	if err != nil || len(header.Get("Content-Type")) > 255 {
		return ""
	}
	switch {
	case t == "application/octet-stream", t == "application/x-www-form-urlencoded",
		strings.HasPrefix(t, "multipart/"), !strings.Contains(t, "/"):
		return ""
	}
	return mime.FormatMediaType(t, params)
}
