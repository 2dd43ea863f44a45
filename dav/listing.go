package dav

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"time"
)

//go:embed listing.css
var listingStyle string

// listingPolicy is the Content-Security-Policy of the HTML of a listing: its style
// and nothing else. It is no sandbox, as stored content gets: browsers save nothing
// that is clicked in one.
func listingPolicy() string {
	sum := sha256.Sum256([]byte(listingStyle))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
		"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}

// listing is the plain page of a collection: lines of text, or HTML with links
// for whoever prefers that.
type listing struct {
	policy string // of the HTML
	lines  []line
}

// line is one entry of it.
type line struct {
	href, name string
	dir        bool
	size       int64
	modified   time.Time
}

func (l *listing) add(href, name string, dir bool, size int64, modified time.Time) {
	l.lines = append(l.lines, line{href, name, dir, size, modified})
}

// head writes the headers and tells whether the page is HTML.
func (l *listing) head(w http.ResponseWriter, r *http.Request) (html bool) {
	header := w.Header()
	header.Set("Cache-Control", "private, no-cache")
	header.Set("Content-Security-Policy", sandbox)
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Vary", "Accept")
	header.Set("Content-Type", "text/plain; charset=utf-8")
	if html = strings.Contains(r.Header.Get("Accept"), "text/html"); html {
		header.Set("Content-Type", "text/html; charset=utf-8")
		header.Set("Content-Security-Policy", l.policy)
	}
	return html
}

// serve writes the page.
func (l *listing) serve(w http.ResponseWriter, r *http.Request, title string) {
	var b []byte
	if l.head(w, r) {
		b = l.html(title)
	} else {
		b = l.text()
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	w.Write(b)
}

// text is a line an entry: its time, its size, its name; directories end in a slash.
func (l *listing) text() []byte {
	var b []byte
	for _, e := range l.lines {
		if e.name == ".." {
			continue
		}
		b = e.appendColumns(b)
		b = append(b, e.name...)
		if e.dir {
			b = append(b, '/')
		}
		b = append(b, '\n')
	}
	return b
}

func (l *listing) html(title string) []byte {
	b := []byte(`<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">` +
		`<meta name="viewport" content="width=device-width, initial-scale=1"><title>`)
	b = appendText(b, title)
	b = append(b, "</title><style>"+listingStyle+"</style></head><body><h1>"...)
	b = appendText(b, title)
	b = append(b, "</h1>\n<ul>\n"...)
	for _, e := range l.lines {
		b = e.appendItem(b)
	}
	b = append(b, "</ul>\n"...)
	if len(l.lines) == 0 || len(l.lines) == 1 && l.lines[0].name == ".." {
		b = append(b, "<p>Nothing is here yet.</p>\n"...)
	}
	return append(b, "</body></html>\n"...)
}

// appendItem writes an entry in HTML.
func (e line) appendItem(b []byte) []byte {
	b = append(b, `<li><a href="`...)
	b = append(b, e.href...)
	b = append(b, `">`...)
	b = appendText(b, e.name)
	if e.dir {
		b = append(b, '/')
	}
	b = append(b, "</a><span>"...)
	if !e.dir {
		b = append(b, readable(e.size)...)
	}
	b = append(b, "</span>"...)
	if e.name != ".." && !e.modified.IsZero() {
		b = append(b, "<time>"...)
		b = e.modified.UTC().AppendFormat(b, "2006-01-02 15:04 UTC")
		b = append(b, "</time>"...)
	}
	return append(b, "</li>\n"...)
}

// readable says a number of bytes as people do.
func readable(n int64) string {
	const units = "kMGTPE"
	if n < 1000 {
		return strconv.FormatInt(n, 10) + " B"
	}
	f, i := float64(n)/1000, 0
	for ; f >= 999.95; i++ {
		f /= 1000
	}
	return strconv.FormatFloat(f, 'f', 1, 64) + " " + units[i:i+1] + "B"
}

// appendColumns writes what stands before the name in text.
func (e line) appendColumns(b []byte) []byte {
	when := "-"
	if !e.modified.IsZero() {
		when = e.modified.UTC().Format("2006-01-02T15:04:05Z")
	}
	size := "-"
	if !e.dir {
		size = strconv.FormatInt(e.size, 10)
	}
	b = append(b, when...)
	b = append(b, strings.Repeat(" ", max(1, 36-len(when)-len(size)))...)
	b = append(b, size...)
	return append(b, ' ', ' ')
}
