package authz

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"
)

// errPrivate: a name outside resolved to an address inside.
var errPrivate = errors.New("address is not a public one")

// publicClient makes the client that fetches from places an operator named: it
// follows no redirect, uses no proxy, and connects to public addresses only. It
// looks at the address after resolution, the only time that counts.
func publicClient() *http.Client {
	dialer := &net.Dialer{Timeout: setWait, Control: func(_, address string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(address)
		if err != nil {
			return err
		}
		if !isPublic(at.Addr()) {
			return fmt.Errorf("%s: %w", at.Addr(), errPrivate)
		}
		return nil
	}}
	return &http.Client{
		Timeout:       setWait,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext:         dialer.DialContext,
			ForceAttemptHTTP2:   true,
			TLSHandshakeTimeout: setWait,
			IdleConnTimeout:     time.Minute,
			MaxIdleConns:        4,
		},
	}
}

// isPublic tells whether an address is one of the public internet.
func isPublic(a netip.Addr) bool {
	a = a.Unmap().WithZone("") // no network contains an address with a zone
	if !a.IsGlobalUnicast() || a.IsPrivate() {
		return false
	}
	for _, inside := range notPublic() {
		if inside.Contains(a) {
			return false
		}
	}
	return true
}

// notPublic lists networks that netip takes for global unicast: those for
// carriers, protocols, benchmarks and the future, and those that lead to an
// IPv4 address which was not looked at.
func notPublic() []netip.Prefix {
	return []netip.Prefix{
		netip.MustParsePrefix("0.0.0.0/8"),
		netip.MustParsePrefix("100.64.0.0/10"),
		netip.MustParsePrefix("192.0.0.0/24"),
		netip.MustParsePrefix("198.18.0.0/15"),
		netip.MustParsePrefix("240.0.0.0/4"),
		netip.MustParsePrefix("::/96"),
		netip.MustParsePrefix("64:ff9b::/96"),
		netip.MustParsePrefix("64:ff9b:1::/48"),
		netip.MustParsePrefix("2001::/23"),
		netip.MustParsePrefix("2002::/16"),
		netip.MustParsePrefix("fec0::/10"),
	}
}
