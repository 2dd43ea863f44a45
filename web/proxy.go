package web

import (
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// arrive returns a shallow copy of r as the real client sent it, and the
// request's id. RemoteAddr, Host, and the scheme and host of the URL are the
// client's own, taken from a proxy's word only if the proxy is trusted. The
// headers they came in are removed, so nobody further in can be misled.
//
// The copy shares the body: replacing it on r itself would break Expect:
// 100-continue.
func (s *Server) arrive(r *http.Request) (*http.Request, string) {
	in := new(http.Request)
	*in = *r
	in.URL = new(url.URL)
	*in.URL = *r.URL
	in.URL.Scheme, in.URL.Host = "http", r.Host
	if r.TLS != nil {
		in.URL.Scheme = "https"
	}
	id := ""
	if s.trusted(peer(r)) {
		id = s.forwarded(in)
	}
	for _, name := range []string{"X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "Forwarded"} {
		in.Header.Del(name)
	}
	if id == "" {
		id = s.cfg.NewRequestID()
	}
	return in, id
}

// forwarded takes over what a trusted proxy says of the client, and returns the
// request id it gave, if it is a decent one. Where a header lists several, the
// last that is not a trusted proxy's own was seen by one of ours; those before
// it are anybody's claim.
func (s *Server) forwarded(in *http.Request) (id string) {
	if addr := s.farthest(in.Header.Values("X-Forwarded-For")); addr.IsValid() {
		in.RemoteAddr = netip.AddrPortFrom(addr, 0).String()
	}
	switch strings.ToLower(last(in.Header.Values("X-Forwarded-Proto"))) {
	case "https":
		in.URL.Scheme = "https"
	case "http":
		in.URL.Scheme = "http"
	}
	if host := last(in.Header.Values("X-Forwarded-Host")); isHost(host) {
		in.Host, in.URL.Host = host, host
	}
	if id = in.Header.Get("X-Request-Id"); len(id) <= 64 && strings.Trim(id, idLetters) == "" {
		return id
	}
	return ""
}

// idLetters are the characters of a request id that is taken over.
const idLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."

// farthest is the last address that is not a trusted proxy's.
func (s *Server) farthest(values []string) netip.Addr {
	var addr netip.Addr
	hops := strings.Split(strings.Join(values, ","), ",")
	for _, hop := range slices.Backward(hops) {
		a, err := parseAddr(strings.TrimSpace(hop))
		if err != nil {
			return addr
		}
		if addr = a; !s.trusted(a) {
			return addr
		}
	}
	return addr
}

// trusted tells whether addr is a trusted proxy's.
func (s *Server) trusted(addr netip.Addr) bool {
	return addr.IsValid() && slices.ContainsFunc(s.cfg.TrustedProxies, func(p netip.Prefix) bool {
		return p.Contains(addr)
	})
}

// parseAddr reads an address with or without a port.
func parseAddr(s string) (netip.Addr, error) {
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.Addr().Unmap(), nil
	}
	a, err := netip.ParseAddr(strings.Trim(s, "[]"))
	return a.Unmap(), err
}

// peer is who the connection comes from; invalid for a Unix socket.
func peer(r *http.Request) netip.Addr {
	addr, err := parseAddr(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return addr
}

// client is the address of the client, for people.
func client(r *http.Request) string {
	if addr := peer(r); addr.IsValid() {
		return addr.String()
	}
	return r.RemoteAddr
}

// last is the last element of a header that holds a list.
func last(values []string) string {
	list := strings.Join(values, ",")
	return strings.TrimSpace(list[strings.LastIndexByte(list, ',')+1:])
}

// isHost tells whether host is a host with an optional port and nothing else.
func isHost(host string) bool {
	u, err := url.Parse("//" + host)
	return err == nil && host != "" && u.Host == host
}

// base is where clients reach the server, without a slash at the end.
func (s *Server) base(r *http.Request) string {
	if s.public != nil {
		return s.public.String()
	}
	return (&url.URL{Scheme: r.URL.Scheme, Host: r.Host}).String()
}
