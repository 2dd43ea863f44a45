package dav

import (
	"fmt"
	"net/http/httptest"
	"testing"
	"time"

	"varve/layers"
)

// BenchmarkListing writes the answer to a PROPFIND of 10,000 files that has been
// read already.
func BenchmarkListing(b *testing.B) {
	h, err := New(Config{Store: layers.New(layers.Config{})})
	if err != nil {
		b.Fatal(err)
	}
	var tree []relative
	for i := range 10_000 {
		v := &layers.Version{Born: time.Unix(1.7e9, 0)}
		v.Content.Size = int64(i)
		name := fmt.Sprintf("document %05d.txt", i)
		e := layers.Entry{Name: "d/" + name, Base: name, Version: v, Modified: v.Born, ETag: layers.ETag(v)}
		tree = append(tree, relative{name, e})
	}
	for name, body := range map[string]string{
		"allprop": "",
		"named":   `<propfind xmlns="DAV:"><prop><getlastmodified/><getcontentlength/><creationdate/><resourcetype/></prop></propfind>`,
	} {
		b.Run(name, func(b *testing.B) {
			a, err := parsePropfind([]byte(body), deep)
			if err != nil {
				b.Fatal(err)
			}
			sel := a.chooses(false, false)
			s := &sheet{target: target{root: "/dav", name: "d"}, h: h}
			b.ReportAllocs()
			for b.Loop() {
				w := httptest.NewRecorder()
				w.Body = nil
				if err := h.answerTree(w, s, &sel, tree); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
