package main

import (
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"varve/authz"
)

// controlSocket is where the operators' socket lies in a store's directory.
func controlSocket(dir string) string { return filepath.Join(dir, "control.sock") }

// listenControl listens on the operators' socket. Only the holder of the store's
// lock may call it: a socket file that is there belongs to a dead process then.
func listenControl(dir string) (net.Listener, error) {
	path := controlSocket(dir)
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

// operator serves h to whoever could open the store's socket. The directory is
// 0700 and holds the signing keys, so opening it is proof enough: a request that
// brings no token of its own gets an operator's, which the log records as any
// other. The rights are those of every admin token, checked where all are.
func operator(h http.Handler, keys *authz.Keys) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		own := r.WithContext(r.Context()) // the body stays the server's, for Expect: 100-continue
		own.RemoteAddr = "control.sock"   // a socket's peer has no address to log
		if r.Header.Get("Authorization") != "" {
			h.ServeHTTP(w, own)
			return
		}
		token, err := keys.Mint(time.Now(), authz.Claims{Sub: "operator", Scopes: authz.Read | authz.Admin, TTL: time.Minute})
		if err != nil {
			http.Error(w, "no key to sign with", http.StatusInternalServerError)
			return
		}
		own.Header = r.Header.Clone()
		own.Header.Set("Authorization", "Bearer "+token)
		h.ServeHTTP(w, own)
	})
}
