package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
)

// size is a number of bytes: "64MiB", "10GB", "1048576".
type size int64

// UnmarshalText reads a size.
func (s *size) UnmarshalText(text []byte) error {
	n, err := humanize.ParseBytes(string(text))
	if err != nil || n > 1<<62 {
		return fmt.Errorf("want a number of bytes such as 64MiB or 10GB, got %q", text)
	}
	*s = size(n)
	return nil
}

// term is how long something lasts: what time.ParseDuration reads, and days: "90d".
type term time.Duration

// maxTerm is the longest term.
const maxTerm = 36500 * 24 * time.Hour

// UnmarshalText reads a term.
func (t *term) UnmarshalText(text []byte) error {
	s := string(text)
	var d time.Duration
	var err error
	if days, ok := strings.CutSuffix(s, "d"); ok {
		var n uint64
		n, err = strconv.ParseUint(days, 10, 16)
		d = time.Duration(n) * 24 * time.Hour
	} else {
		d, err = time.ParseDuration(s)
	}
	if err != nil || d < 0 || d > maxTerm {
		return fmt.Errorf("want a term such as 90d, 12h or 30m, at most 36500d, got %q", s)
	}
	*t = term(d)
	return nil
}

// String is t as a number and one unit, as the API takes it: "90d", "90m".
func (t term) String() string {
	for _, unit := range []struct {
		name string
		size time.Duration
	}{{"d", 24 * time.Hour}, {"h", time.Hour}, {"m", time.Minute}} {
		if d := time.Duration(t); d%unit.size == 0 {
			return strconv.FormatInt(int64(d/unit.size), 10) + unit.name
		}
	}
	return strconv.FormatInt(int64(time.Duration(t)/time.Second), 10) + "s"
}
