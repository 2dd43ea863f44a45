package main

import (
	"crypto/tls"
	"fmt"
	"os"
	"sync"

	"github.com/rs/zerolog"
	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"
)

// tlsFlags say where certificates come from: files or ACME; neither is plain http.
type tlsFlags struct {
	TLSCert       string   `help:"Serve https with this certificate chain (PEM); read again when it changes." placeholder:"FILE"`
	TLSKey        string   `help:"Private key of --tls-cert (PEM)." placeholder:"FILE"`
	ACMEDomain    []string `help:"Serve https with certificates for these domains from an ACME authority; needs port 443 to reach --listen." placeholder:"DOMAIN"`
	ACMEAcceptTOS bool     `help:"Accept the authority's terms of service; ACME needs it." name:"acme-accept-tos"`
	ACMEEmail     string   `help:"Address the authority may write to." placeholder:"ADDRESS"`
	ACMEDirectory string   `help:"Directory of the authority; Let's Encrypt by default." placeholder:"URL"`
}

// config is the TLS configuration, or nil for plain http. cache is where ACME
// keeps accounts and certificates; log hears of renewals that do not work.
func (f tlsFlags) config(cache string, log zerolog.Logger) (*tls.Config, error) {
	switch {
	case f.TLSCert != "" && len(f.ACMEDomain) > 0:
		return nil, usagef("--tls-cert and --acme-domain exclude each other")
	case (f.TLSCert == "") != (f.TLSKey == ""):
		return nil, usagef("--tls-cert and --tls-key belong together")
	case f.TLSCert != "":
		c := &certificate{certFile: f.TLSCert, keyFile: f.TLSKey, log: log}
		if _, err := c.current(nil); err != nil {
			return nil, err
		}
		return &tls.Config{GetCertificate: c.current, MinVersion: tls.VersionTLS12}, nil
	case len(f.ACMEDomain) == 0:
		return nil, nil
	case !f.ACMEAcceptTOS:
		return nil, hint(usagef("--acme-domain needs --acme-accept-tos"), "read the authority's terms first: https://letsencrypt.org/repository/")
	}
	m := &autocert.Manager{
		Prompt:     autocert.AcceptTOS,
		Cache:      autocert.DirCache(cache),
		HostPolicy: autocert.HostWhitelist(f.ACMEDomain...),
		Email:      f.ACMEEmail,
	}
	if f.ACMEDirectory != "" {
		m.Client = &acme.Client{DirectoryURL: f.ACMEDirectory}
	}
	c := m.TLSConfig()
	c.MinVersion = tls.VersionTLS12
	return c, nil
}

// certificate is a pair of files that somebody renews while varve runs.
type certificate struct {
	certFile, keyFile string
	log               zerolog.Logger

	mu     sync.Mutex // guards what was read last
	read   *tls.Certificate
	at     written // the files that read came from
	warned written // the last files that could not be read
}

// written is when the two files were written, in Unix nanoseconds; 0 if a file
// is not there.
type written [2]int64

func (c *certificate) written() (at written) {
	for i, file := range []string{c.certFile, c.keyFile} {
		if info, err := os.Stat(file); err == nil {
			at[i] = info.ModTime().UnixNano()
		}
	}
	return at
}

// current reads the files again when they have changed. A pair that is being
// replaced and does not fit together is no reason to stop serving with the last.
func (c *certificate) current(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	at := c.written()
	if c.read != nil && at == c.at {
		return c.read, nil
	}
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	switch {
	case err == nil:
		c.read, c.at = &pair, at
	case c.read == nil:
		return nil, fmt.Errorf("certificate: %w", err)
	case at != c.warned:
		c.warned = at
		c.log.Warn().Err(err).Str("file", c.certFile).Msg("the new certificate cannot be used; the last one still is")
	}
	return c.read, nil
}
