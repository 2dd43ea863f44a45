package main

import (
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"varve/history"
)

func TestTidyLeavesWhatIsNamed(t *testing.T) {
	s := startServer(t)
	token := s.token("ann")
	large := strings.Repeat("large", 10_000)
	if status, body := s.do("PUT", "/dav/a.txt", token, large); status != 201 {
		t.Fatalf("PUT = %d %s", status, body)
	}
	s.stop()
	store, err := history.Open(t.Context(), history.Options{Dir: s.dir})
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	if err := tidy(t.Context(), store, zerolog.New(&log)); err != nil {
		t.Fatalf("tidy: %v", err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	s.restart()
	if status, body := s.do("GET", "/dav/a.txt", token, ""); status != 200 || body != large {
		t.Errorf("GET after tidy = %d, %d bytes; want 200, %d", status, len(body), len(large))
	}
	if got := log.String(); !strings.Contains(got, `"collected":0,"emptied":0,"swept":0`) {
		t.Errorf("tidy of a store without litter logged %s", got)
	}
}
