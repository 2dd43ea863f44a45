package main

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"varve/authz"
)

// issuer is an external issuer of tokens as the config file and the flags
// describe it. Exactly one of SecretFile, PublicKey and JWKS is set.
type issuer struct {
	Name          string `json:"name"`
	Prefix        string `json:"prefix"`
	Audience      string `json:"audience"`
	SecretFile    string `json:"hs256-secret-file"`
	PublicKey     string `json:"public-key-file"`
	JWKS          string `json:"jwks"`
	Admin         bool   `json:"admin"`
	MintsSessions bool   `json:"mints-sessions"`
}

// tokenFlags hold for the tokens of every issuer.
type tokenFlags struct {
	Audience     string `help:"What a token with an aud claim must name." default:"varve" placeholder:"NAME"`
	Leeway       term   `help:"How far the clocks of issuers may be off." default:"30s" placeholder:"TERM"`
	JWKSInternal bool   `help:"Fetch JWKS documents from private and loopback addresses too."`
}

// config is what is configured of tokens beside keys and log.
func (f tokenFlags) config(issuers []authz.Issuer) authz.Config {
	cfg := authz.Config{Issuers: issuers, Audience: f.Audience, Leeway: time.Duration(f.Leeway)}
	if f.Leeway == 0 {
		cfg.Leeway = -1 // none, where zero would be the default
	}
	if f.JWKSInternal {
		cfg.Client = &http.Client{
			Timeout:       10 * time.Second,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	}
	return cfg
}

// issuerFlags describe one external issuer; several need the config file.
type issuerFlags struct {
	HS256SecretFile     string `help:"Accept tokens signed with HS256 and the secret in this file (32 bytes or more)." name:"hs256-secret-file" placeholder:"FILE"`
	PublicKeyFile       string `help:"Accept tokens signed with the private key of this public key (PEM; RS256, ES256 or EdDSA)." placeholder:"FILE"`
	JWKS                string `help:"Accept tokens signed with a key of this JWKS: a file or an https URL." placeholder:"FILE|URL"`
	IssuerName          string `help:"What those tokens must have as iss." placeholder:"NAME"`
	IssuerPrefix        string `help:"Put this before the users of those tokens, to keep them apart from others." placeholder:"TEXT"`
	IssuerAudience      string `help:"What those tokens must have in aud." placeholder:"NAME"`
	IssuerAdmin         bool   `help:"Let their scope admin count."`
	IssuerMintsSessions bool   `help:"Let their first write create the session in sid."`
}

// all are the issuers of the config file and the one of the flags, if any.
func (f issuerFlags) all(file []issuer) ([]authz.Issuer, error) {
	if f != (issuerFlags{}) {
		file = append(file[:len(file):len(file)], issuer{
			Name: f.IssuerName, Prefix: f.IssuerPrefix, Audience: f.IssuerAudience,
			SecretFile: f.HS256SecretFile, PublicKey: f.PublicKeyFile, JWKS: f.JWKS,
			Admin: f.IssuerAdmin, MintsSessions: f.IssuerMintsSessions,
		})
	}
	var all []authz.Issuer
	for _, i := range file {
		one, err := i.load()
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, nil
}

// load reads the secret, if that is how the issuer's tokens are signed.
func (i issuer) load() (authz.Issuer, error) {
	keys := 0
	for _, source := range []string{i.SecretFile, i.PublicKey, i.JWKS} {
		if source != "" {
			keys++
		}
	}
	if keys != 1 {
		return authz.Issuer{}, usagef("issuer %q needs exactly one of hs256-secret-file, public-key-file and jwks", i.Name)
	}
	if i.JWKS != "" && i.Name == "" { // its tokens say who issued them, and would all be refused
		return authz.Issuer{}, hint(usagef("--jwks %s needs --issuer-name: what its tokens have as iss", i.JWKS),
			"in the config file it is the name of the issuer")
	}
	a := authz.Issuer{
		Name: i.Name, Prefix: i.Prefix, Audience: i.Audience,
		PublicKey: i.PublicKey, JWKS: i.JWKS, Admin: i.Admin, MintsSessions: i.MintsSessions,
	}
	if i.SecretFile == "" {
		return a, nil
	}
	secret, err := os.ReadFile(i.SecretFile)
	if err != nil {
		return authz.Issuer{}, fmt.Errorf("secret of issuer %q: %w", i.Name, err)
	}
	// Editors and echo end a file with a line break that is not part of the secret.
	a.Secret = []byte(strings.TrimRight(string(secret), "\r\n"))
	return a, nil
}
