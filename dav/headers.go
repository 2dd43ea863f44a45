package dav

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// depth is what a Depth header asks for.
type depth uint8

const (
	depthAbsent depth = iota
	depth0
	depth1
	depthInfinite
)

// parseDepth reads a Depth header; noroot leaves the resource itself out of a
// PROPFIND's answer (MS-WDVSE, and RFC 8144, section 3).
func parseDepth(header http.Header) (d depth, noroot bool, err error) {
	value := strings.ToLower(strings.TrimSpace(header.Get("Depth")))
	value, noroot = strings.CutSuffix(value, ",noroot")
	noroot = noroot || prefers(header, "depth-noroot")
	switch strings.TrimSpace(value) {
	case "":
		return depthAbsent, noroot, nil
	case "0":
		return depth0, false, nil
	case "1":
		return depth1, noroot, nil
	case "infinity":
		return depthInfinite, noroot, nil
	}
	return 0, false, bad("Depth is 0, 1 or infinity")
}

// parseOverwrite reads an Overwrite header; absent means T (RFC 4918, section 10.6).
func parseOverwrite(header http.Header) (bool, error) {
	switch header.Get("Overwrite") {
	case "", "T", "t":
		return true, nil
	case "F", "f":
		return false, nil
	}
	return false, bad("Overwrite is T or F")
}

// parseTimeout reads a Timeout header: the first type it knows, and zero, for
// the server's own choice, when there is none (RFC 4918, section 10.7).
func parseTimeout(header http.Header) time.Duration {
	for s := range strings.SplitSeq(strings.Join(header.Values("Timeout"), ","), ",") {
		s = strings.ToLower(strings.TrimSpace(s))
		if strings.HasPrefix(s, "infinit") {
			return math.MaxInt64
		}
		digits, ok := strings.CutPrefix(s, "second-")
		if !ok {
			continue
		}
		if n, err := strconv.ParseUint(digits, 10, 32); err == nil && n > 0 {
			return time.Duration(n) * time.Second
		}
	}
	return 0
}

// parseLockToken reads a Lock-Token header; npm's client and Windows XP leave
// the angle brackets out.
func parseLockToken(header http.Header) (string, error) {
	token := strings.TrimSpace(header.Get("Lock-Token"))
	if strings.HasPrefix(token, "<") && strings.HasSuffix(token, ">") {
		token = token[1 : len(token)-1]
	}
	if token == "" || strings.ContainsAny(token, "<> ") {
		return "", bad("Lock-Token names no token")
	}
	return token, nil
}

// destination finds where a COPY or MOVE goes.
func (h *Handler) destination(r *http.Request) (target, error) {
	raw := r.Header.Get("Destination")
	if raw == "" {
		return target{}, bad("Destination is missing")
	}
	t, served, err := h.locate(r, raw)
	switch {
	case err != nil:
		return target{}, err
	case !served:
		return target{}, &refusal{status: http.StatusBadGateway, hint: "Destination names another server"}
	case t.view == nil:
		return target{}, &refusal{status: http.StatusForbidden, hint: "Destination is not in a tree"}
	}
	return t, nil
}

// parseClientTime reads X-OC-Mtime and DAV:lastmodified: seconds of the Unix
// clock, perhaps with a fraction, between the years 1 and 9999.
func parseClientTime(s string) (time.Time, bool) {
	f, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	if err != nil || !(f > -62135596800 && f < 253402300800) {
		return time.Time{}, false
	}
	seconds := math.Floor(f)
	return time.Unix(int64(seconds), int64((f-seconds)*1e9)).UTC(), true
}

// minimal tells whether the client asked for answers without the properties
// that are not there (RFC 8144, section 2.1; Brief is Microsoft's).
func minimal(header http.Header) bool {
	return prefers(header, "return=minimal") || strings.EqualFold(header.Get("Brief"), "t")
}

// prefers tells whether Prefer holds a preference (RFC 7240), ignoring its parameters.
func prefers(header http.Header, preference string) bool {
	for s := range strings.SplitSeq(strings.Join(header.Values("Prefer"), ","), ",") {
		s, _, _ = strings.Cut(s, ";")
		s = strings.ReplaceAll(strings.ReplaceAll(s, " ", ""), `"`, "")
		if strings.EqualFold(s, preference) {
			return true
		}
	}
	return false
}
