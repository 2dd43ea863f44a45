package main

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"varve/history"
	"varve/layers"
	"varve/web"
)

type serveCmd struct {
	dataFlag
	Listen       string   `help:"Address to listen on." default:"127.0.0.1:8080" placeholder:"HOST:PORT"`
	PublicURL    string   `help:"What clients call this server, when a proxy or a name stands before it." placeholder:"URL"`
	TrustedProxy []string `help:"Believe X-Forwarded-For, -Proto and -Host of these addresses or networks." placeholder:"CIDR"`
	InsecureHTTP bool     `help:"Take passwords over plain http from other machines too."`
	CORSOrigin   []string `help:"Let pages of these origins call the API with a Bearer token." name:"cors-origin" placeholder:"ORIGIN"`
	Drain        term     `help:"How long running requests may take to end on a signal." default:"10s" placeholder:"TERM"`

	tlsFlags    `group:"TLS:"`
	storeFlags  `group:"Store:"`
	limitFlags  `group:"Limits (none means none):"`
	tokenFlags  `group:"Tokens:"`
	issuerFlags `group:"Tokens of another issuer (several: see varve help configuration):"`
	logFlags    `group:"Log:"`
}

// storeFlags say how the store keeps its promises.
type storeFlags struct {
	Durability string `help:"full: what was acknowledged survives power loss. normal: it survives a crash of varve, but power loss may take the last second." enum:"full,normal" default:"full" placeholder:"full|normal"`
	Inline     size   `help:"Keep content up to this size in the database: one sync instead of three." default:"16KiB" placeholder:"SIZE"`
}

// limitFlags are the limits that operators set; the rest are in varve help limits.
type limitFlags struct {
	MaxUpload        size `help:"Size of one file." placeholder:"SIZE"`
	Quota            size `help:"Bytes counted to one user, with sessions and history." placeholder:"SIZE"`
	StoreLimit       size `help:"Bytes of all content on disk." placeholder:"SIZE"`
	PropfindInfinity int  `help:"Answer PROPFIND of Depth infinity up to this many entries; 0 refuses it." default:"0" placeholder:"N"`
	LockTimeout      term `help:"Longest lock." default:"1h" placeholder:"TERM"`
}

// Help is shown by varve serve --help.
func (serveCmd) Help() string {
	return `With nothing set, makes what it needs in ./varve-data, listens on 127.0.0.1:8080 and prints how
to mount it. SIGINT or SIGTERM ends it once running requests have ended; a second one at once.`
}

// Run serves until ctx ends.
func (s serveCmd) Run(ctx context.Context, c *console) error {
	log := s.logger(c.err)
	tlsConfig, err := s.tlsFlags.config(filepath.Join(s.Data, "acme"), log)
	if err != nil {
		return err
	}
	cfg, err := s.service(c, log)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", s.Listen)
	if err != nil {
		return hint(err, "--listen takes another address, 127.0.0.1:0 a free port")
	}
	defer l.Close()
	base := s.base(l.Addr(), tlsConfig != nil)
	svc, err := openService(ctx, cfg)
	if err != nil {
		return err
	}

	if svc.newKey {
		log.Info().Str("data", s.Data).Msg("made a new key")
	}
	g, ctx := errgroup.WithContext(ctx)
	server := newServer(svc.handler, log)
	server.TLSConfig = tlsConfig
	serveUntil(ctx, g, server, l, time.Duration(s.Drain))
	if err := svc.control(ctx, g, log, time.Duration(s.Drain)); err != nil {
		log.Warn().Err(err).Msg("no control socket: varve session and varve token --mount need --server")
	}
	g.Go(func() error {
		maintain(ctx, svc.log, log)
		return nil
	})
	if err := welcome(ctx, c.out, svc, base); err != nil {
		log.Warn().Err(err).Msg("no first token")
	}
	log.Info().Str("url", base).Str("data", s.Data).Str("version", version()).Msg("serving")
	err = errors.Join(g.Wait(), svc.Close())
	log.Info().Err(err).Msg("ended")
	return err
}

// base is the URL people are told.
func (s serveCmd) base(address net.Addr, secure bool) string {
	if s.PublicURL != "" {
		return s.PublicURL
	}
	host, port, err := net.SplitHostPort(address.String())
	if err != nil {
		return address.String()
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	u := url.URL{Scheme: "http", Host: net.JoinHostPort(host, port)}
	if secure {
		u.Scheme = "https"
		if len(s.ACMEDomain) > 0 {
			u.Host = s.ACMEDomain[0]
		}
	}
	return u.String()
}

// service is the service the flags describe.
func (s serveCmd) service(c *console, log zerolog.Logger) (serviceConfig, error) {
	issuers, err := s.all(c.issuers)
	if err != nil {
		return serviceConfig{}, err
	}
	proxies, err := prefixes(s.TrustedProxy)
	if err != nil {
		return serviceConfig{}, err
	}
	cfg := serviceConfig{
		store: history.Options{Dir: s.Data, Durability: s.Durability, Inline: int64(s.Inline)},
		limits: layers.Limits{
			Upload:       int64(s.MaxUpload),
			Quota:        int64(s.Quota),
			Store:        int64(s.StoreLimit),
			InfiniteList: s.PropfindInfinity,
			LockTimeout:  time.Duration(s.LockTimeout),
		},
		authz: s.tokenFlags.config(issuers),
		web: web.Config{
			Log:            log,
			PublicURL:      s.PublicURL,
			TrustedProxies: proxies,
			InsecureHTTP:   s.InsecureHTTP,
			Origins:        s.CORSOrigin,
		},
	}
	if s.PublicURL != "" {
		u, err := url.Parse(s.PublicURL)
		if err != nil || u.Host == "" || u.Path != "" && u.Path != "/" {
			return serviceConfig{}, usagef("--public-url %q: want scheme://host without a path", s.PublicURL)
		}
		cfg.dav.Hosts = []string{u.Host}
	}
	return cfg, nil
}

// prefixes reads networks; an address is a network of one.
func prefixes(list []string) ([]netip.Prefix, error) {
	var all []netip.Prefix
	for _, s := range list {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			a, err := netip.ParseAddr(s)
			if err != nil {
				return nil, usagef("--trusted-proxy %q: want an address or a network such as 10.0.0.0/8", s)
			}
			p = netip.PrefixFrom(a, a.BitLen())
		}
		all = append(all, p.Masked())
	}
	return all, nil
}
