package web

import (
	"net/http"
	"slices"
	"strings"
)

// What a browser's script may send and see from another origin.
const (
	corsMethods = "GET,HEAD,PUT,POST,PATCH,DELETE,OPTIONS,PROPFIND,PROPPATCH,MKCOL,COPY,MOVE,LOCK,UNLOCK,REPORT,SEARCH"
	corsHeaders = "Authorization,Depth,Destination,Overwrite,If,If-Match,If-None-Match,If-Unmodified-Since,Lock-Token," +
		"Timeout,Content-Type,Content-Digest,Repr-Digest,Prefer,Range,X-Update-Range,X-OC-Mtime,OC-Checksum,X-Requested-With"
	corsExposed = "DAV,ETag,Last-Modified,Lock-Token,Location,Content-Range,Accept-Ranges,Content-Disposition," +
		"Content-Digest,Repr-Digest,OC-Checksum,WWW-Authenticate,X-Request-Id"
)

// cors answers a preflight, without asking for credentials (a browser sends none
// with it), and reports whether it did. A real request from a listed origin gets
// leave to read the answer. It is never told that cookies or Basic may come along:
// cross-origin calls carry a Bearer token or nothing.
func (s *Server) cors(w http.ResponseWriter, r *http.Request) (done bool) {
	if len(s.cfg.Origins) > 0 {
		w.Header().Add("Vary", "Origin")
	}
	origin := r.Header.Get("Origin")
	allowed := origin != "" && slices.Contains(s.cfg.Origins, origin)
	// Without Access-Control-Request-Method it is WebDAV's OPTIONS.
	if r.Method == http.MethodOptions && origin != "" && r.Header.Get("Access-Control-Request-Method") != "" {
		if allowed {
			w.Header().Set("Access-Control-Allow-Origin", origin)
			w.Header().Set("Access-Control-Allow-Methods", corsMethods)
			w.Header().Set("Access-Control-Allow-Headers", corsHeaders)
			w.Header().Set("Access-Control-Max-Age", "7200")
		}
		w.WriteHeader(http.StatusNoContent)
		return true
	}
	if allowed {
		w.Header().Set("Access-Control-Allow-Origin", origin)
		w.Header().Set("Access-Control-Expose-Headers", corsExposed)
	}
	return false
}

// isFetch tells whether a script in a browser sent r: it gets no Basic challenge,
// which would make the browser put up its own password dialog. No WebDAV client
// sends any of these headers.
func isFetch(r *http.Request) bool {
	switch strings.ToLower(r.Header.Get("Sec-Fetch-Mode")) {
	case "cors", "same-origin", "no-cors":
		return true
	}
	return r.Header.Get("Origin") != "" || r.Header.Get("X-Requested-With") != ""
}
