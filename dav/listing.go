package dav

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// listing is the plain page of a collection: lines of text, or HTML with links
// for whoever prefers that.
type listing struct {
	lines []line
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
	b := []byte("<!DOCTYPE html><html><head><meta charset=\"utf-8\"><title>")
	b = appendText(b, title)
	b = append(b, "</title></head><body><h1>"...)
	b = appendText(b, title)
	b = append(b, "</h1><pre>\n"...)
	for _, e := range l.lines {
		b = e.appendColumns(b)
		b = append(b, `<a href="`...)
		b = append(b, e.href...)
		b = append(b, `">`...)
		b = appendText(b, e.name)
		if e.dir {
			b = append(b, '/')
		}
		b = append(b, "</a>\n"...)
	}
	return append(b, "</pre></body></html>\n"...)
}

// appendColumns writes what stands before the name.
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
