package web

import (
	"path"
	"slices"
	"strings"
	"time"

	"varve/layers"
)

// entry is a file or directory in JSON.
type entry struct {
	Name          string      `json:"name" doc:"Path in its tree, as spelled; empty for the root"`
	Kind          string      `json:"kind" enum:"file,directory"`
	Size          *int64      `json:"size,omitempty" doc:"Bytes; files only"`
	Modified      time.Time   `json:"modified" doc:"A file's own time of modification; a directory's last change at or below"`
	Created       time.Time   `json:"created"`
	ETag          string      `json:"etag,omitempty" doc:"Absent of a directory just written; listing it tells"`
	SHA256        string      `json:"sha256,omitempty" doc:"Of the content, in hexadecimal; files only"`
	Type          string      `json:"type,omitempty" doc:"Media type; files only"`
	Layer         string      `json:"layer" enum:"session,shared" doc:"Where it comes from"`
	Node          int64       `json:"node" doc:"Identity; survives renames and moves"`
	Version       layers.Seq  `json:"version" doc:"The change that made it what it is"`
	Origin        *versionRef `json:"origin,omitempty" doc:"The lower version it was made over"`
	ShadowChanged bool        `json:"shadow_changed,omitempty" doc:"The lower entry changed, moved or went since then"`
}

// versionRef names what a node was at a change.
type versionRef struct {
	Node    int64      `json:"node"`
	Version layers.Seq `json:"version"`
}

// listing is a directory and a page of what is in it, ordered by name.
type listing struct {
	Entry   entry   `json:"entry" doc:"The directory itself"`
	Entries []entry `json:"entries" nullable:"false"`
	Next    string  `json:"next,omitempty" doc:"Pass as after to get the next page; absent on the last"`
}

// toEntry says in JSON what e is.
func toEntry(e layers.Entry) entry {
	v := e.Version
	j := entry{
		Name:          spelled(e),
		Kind:          "directory",
		Modified:      e.Modified.UTC(),
		Created:       v.Born.UTC(),
		ETag:          e.ETag,
		Layer:         string(e.Source),
		Node:          int64(v.Node),
		Version:       v.Seq,
		ShadowChanged: e.Shadowed,
	}
	if !e.IsDir() {
		size := e.Size()
		j.Kind, j.Size, j.SHA256, j.Type = "file", &size, v.Content.Ref.String(), mediaType(e)
	}
	if v.Origin.Node != 0 {
		j.Origin = &versionRef{int64(v.Origin.Node), v.Origin.Seq}
	}
	return j
}

// spelled is the path of an entry with its last element as it was spelled.
func spelled(e layers.Entry) string {
	if e.Name == "." {
		return ""
	}
	return path.Join(path.Dir(e.Name), e.Base)
}

// page cuts the entries after a name, at most limit, and says where the next page starts.
func page(l layers.Listing, after string, limit int) listing {
	rest := l.Entries
	if after != "" {
		i, found := slices.BinarySearchFunc(rest, after, func(e layers.Entry, after string) int {
			return strings.Compare(path.Base(e.Name), after)
		})
		if found {
			i++
		}
		rest = rest[i:]
	}
	j := listing{Entry: toEntry(l.Self), Entries: []entry{}}
	if len(rest) > limit {
		rest = rest[:limit]
		j.Next = path.Base(rest[limit-1].Name)
	}
	for _, e := range rest {
		j.Entries = append(j.Entries, toEntry(e))
	}
	return j
}
