package dav

import (
	"math/rand/v2"
	"net/http"
	"testing"
	"time"
)

func TestDatesAreAsTimeFormatsThem(t *testing.T) {
	for range 10_000 {
		at := time.Unix(rand.Int64N(253402300800), rand.Int64N(1e9)).In(time.FixedZone("x", 3600))
		if got, want := string(appendHTTPTime(nil, at)), at.UTC().Format(http.TimeFormat); got != want {
			t.Fatalf("appendHTTPTime(%v) = %q, want %q", at, got, want)
		}
		if got, want := string(appendRFC3339(nil, at)), at.UTC().Format(time.RFC3339); got != want {
			t.Fatalf("appendRFC3339(%v) = %q, want %q", at, got, want)
		}
	}
}
