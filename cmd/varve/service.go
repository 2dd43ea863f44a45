package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"varve/authz"
	"varve/dav"
	"varve/history"
	"varve/layers"
	"varve/web"
)

// service is an open store and everything that answers for it.
type service struct {
	dir       string
	keys      *authz.Keys
	log       *history.Log
	authority *authz.Authority
	handler   http.Handler
	newKey    bool // the store had no key to sign with, and has one now
}

// serviceConfig is what a service is made of; only store.Dir is needed.
type serviceConfig struct {
	store  history.Options
	limits layers.Limits
	authz  authz.Config // without Keys and Log
	dav    dav.Config   // this and the next without what openService makes
	web    web.Config
}

// openKeys opens the signing keys of the store in dir, making both if missing;
// made tells that there was no key.
func openKeys(dir string) (keys *authz.Keys, made bool, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, false, err
	}
	there, err := fs.Glob(os.DirFS(dir), "keys/*.pem")
	if err != nil {
		return nil, false, err
	}
	keys, err = authz.OpenKeys(filepath.Join(dir, "keys"))
	return keys, len(there) == 0, err
}

// openService opens the store, making what is missing. Close it.
func openService(ctx context.Context, cfg serviceConfig) (*service, error) {
	keys, newKey, err := openKeys(cfg.store.Dir)
	if err != nil {
		return nil, err
	}
	log, err := history.Open(ctx, cfg.store)
	if errors.Is(err, history.ErrInUse) {
		return nil, hint(err, "another varve serves %s; end it first, or give --data another directory", cfg.store.Dir)
	}
	if err != nil {
		return nil, err
	}
	cfg.authz.Keys, cfg.authz.Log = keys, log
	authority, err := authz.New(ctx, cfg.authz)
	if err != nil {
		return nil, errors.Join(err, log.Close())
	}
	s := &service{dir: cfg.store.Dir, keys: keys, log: log, authority: authority, newKey: newKey}
	if s.handler, err = newHandler(cfg, log, authority); err != nil {
		return nil, errors.Join(err, log.Close())
	}
	return s, nil
}

// newHandler puts the surfaces over the store: WebDAV, and HTTP beside it.
func newHandler(cfg serviceConfig, log *history.Log, authority *authz.Authority) (http.Handler, error) {
	store := layers.New(layers.Config{Log: log, Limits: cfg.limits})
	cfg.dav.Store, cfg.dav.Log = store, cfg.web.Log
	var outer *web.Server // knows how to challenge whom
	cfg.dav.Unauthorized = func(w http.ResponseWriter, r *http.Request) { outer.Unauthorized(w, r) }
	handler, err := dav.New(cfg.dav)
	if err != nil {
		return nil, err
	}
	cfg.web.Store, cfg.web.Authority, cfg.web.Version = store, authority, version()
	cfg.web.DAV, cfg.web.DAVServes = handler, handler.Serves
	outer, err = web.New(cfg.web)
	return outer, err
}

// Close releases the store.
func (s *service) Close() error { return s.log.Close() }

// control serves the operators' socket in g until ctx ends.
func (s *service) control(ctx context.Context, g *errgroup.Group, log zerolog.Logger, drain time.Duration) error {
	l, err := listenControl(s.dir)
	if err != nil {
		return err
	}
	serveUntil(ctx, g, newServer(operator(s.handler, s.keys), log), l, drain)
	return nil
}

// brief opens the store for the length of one command and serves its socket
// meanwhile, so that a command does the same with and without a running server.
// What it returns closes both. It makes no store: that a command was given the
// wrong directory must not look like an empty one.
func brief(ctx context.Context, c *console, dir string) (io.Closer, error) {
	if _, err := os.Stat(filepath.Join(dir, "varve.db")); errors.Is(err, os.ErrNotExist) {
		return nil, noStore(dir)
	}
	s, err := openService(ctx, serviceConfig{store: history.Options{Dir: dir}})
	if err != nil {
		return nil, err
	}
	if s.newKey {
		noteKey(c, dir)
	}
	ctx, end := context.WithCancel(ctx)
	g, ctx := errgroup.WithContext(ctx)
	if err := s.control(ctx, g, zerolog.Nop(), time.Second); err != nil {
		end()
		return nil, errors.Join(err, s.Close())
	}
	return closeFunc(func() error {
		end()
		return errors.Join(g.Wait(), s.Close())
	}), nil
}

// noStore says that there is nothing in dir to work on.
func noStore(dir string) error {
	return hint(fmt.Errorf("no store in %s", dir), "--data names the directory that varve serve uses; varve serve makes one")
}

// noteKey tells that a new key was made. A server that uses another directory
// refuses what it signs.
func noteKey(c *console, dir string) {
	fmt.Fprintf(c.err, "varve: made a new key in %s\n", filepath.Join(dir, "keys"))
	fmt.Fprintln(c.err, "hint: its tokens count for a server of this directory only; --data names another one")
}

// closeFunc is a Close.
type closeFunc func() error

// Close calls f.
func (f closeFunc) Close() error { return f() }
