package authz

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/golang-jwt/jwt/v5"
)

// The algorithms that count. Each key has exactly one of them, decided by what
// the key is and never by what a token says.
const (
	hs256 = "HS256"
	rs256 = "RS256"
	es256 = "ES256"
	edDSA = "EdDSA"
)

// Bounds of the keys that count.
const (
	minSecret  = 32   // bytes
	minRSABits = 2048 // RFC 7518, section 3.3
)

// Issuer is an external issuer of JWTs. Exactly one of Secret, PublicKey and
// JWKS is set.
type Issuer struct {
	// Name is its iss claim; empty: tokens without iss signed with this key. Its
	// users are then varve's own ones, unless Prefix keeps them apart.
	Name string
	// Prefix is put before every sub, so that "ann" of two issuers are two users.
	Prefix string
	// Audience is what its tokens must name in aud. Empty: Config.Audience, and a
	// token without aud counts too, unless the issuer has a JWKS: that publishes
	// keys for many, so its tokens always have to say that they are meant for us.
	Audience      string
	Secret        []byte // HS256, at least 32 bytes
	PublicKey     string // PEM file, keys or certificates: RS256, ES256 or EdDSA
	JWKS          string // file or https URL
	Admin         bool   // its scope admin counts
	MintsSessions bool   // a first write of its tokens creates their session
}

// key verifies with one algorithm.
type key struct {
	id     string // kid; empty: it may be used for any
	alg    string
	public any // as golang-jwt wants it for alg
}

// issuer is one with its keys. It may be used concurrently.
type issuer struct {
	Issuer
	audience string
	needsAud bool
	fixed    []key
	set      *keySet // nil: fixed
}

// newIssuer checks one and reads its keys, those behind a URL excepted: whoever
// has other tokens must not wait for a far server.
func newIssuer(ctx context.Context, cfg Config, one Issuer) (*issuer, error) {
	i := &issuer{Issuer: one, audience: one.Audience, needsAud: one.Audience != "" || one.JWKS != ""}
	if i.audience == "" {
		i.audience = cfg.Audience
	}
	sources := 0
	for _, there := range []bool{len(one.Secret) > 0, one.PublicKey != "", one.JWKS != ""} {
		if there {
			sources++
		}
	}
	var err error
	switch {
	case sources != 1:
		err = fmt.Errorf("needs one of secret, public key and JWKS: %w", fs.ErrInvalid)
	case one.JWKS != "":
		i.set, err = newKeySet(ctx, one.JWKS, cfg.Client, cfg.Now)
	case one.PublicKey != "":
		i.fixed, err = readPublicKeys(one.PublicKey)
	case len(one.Secret) < minSecret:
		err = fmt.Errorf("secret is shorter than %d bytes: %w", minSecret, fs.ErrInvalid)
	default:
		i.fixed = []key{{alg: hs256, public: slices.Clone(one.Secret)}}
	}
	if err != nil {
		return nil, fmt.Errorf("issuer %q: %w", one.Name, err)
	}
	return i, nil
}

// keys are those a token with this kid and alg may be signed with, at least one:
// else ErrUnauthorized. Other errors mean that they could not be fetched.
func (i *issuer) keys(ctx context.Context, kid, alg string) (jwt.VerificationKeySet, error) {
	candidates := matching(i.fixed, kid)
	if i.set != nil {
		var err error
		if candidates, err = i.set.find(ctx, kid); err != nil {
			return jwt.VerificationKeySet{}, err
		}
	}
	var found jwt.VerificationKeySet
	for _, one := range candidates {
		if one.alg == alg {
			found.Keys = append(found.Keys, one.public)
		}
	}
	if len(found.Keys) == 0 {
		return found, fmt.Errorf("%w: no key of issuer %q for kid %.80q and alg %q", ErrUnauthorized, i.Name, kid, alg)
	}
	return found, nil
}

// matching are the keys that a token naming kid may mean; one that names none
// may mean any.
func matching(keys []key, kid string) []key {
	var found []key
	for _, one := range keys {
		if kid == "" || one.id == "" || one.id == kid {
			found = append(found, one)
		}
	}
	return found
}

// checkAudience refuses a token that was meant for somebody else.
func (i *issuer) checkAudience(said jwt.MapClaims) error {
	if _, there := said["aud"]; !there && !i.needsAud {
		return nil
	}
	named, err := said.GetAudience()
	if err != nil {
		return err
	}
	if !slices.Contains(named, i.audience) {
		return fmt.Errorf("aud %.80q is not %q", []string(named), i.audience)
	}
	return nil
}

// readPublicKeys reads all keys of a PEM file.
func readPublicKeys(file string) ([]key, error) {
	rest, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var keys []key
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		public, err := publicKey(block)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		one, err := pin(public)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		keys = append(keys, one)
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("%s: no PEM block: %w", file, fs.ErrInvalid)
	}
	return keys, nil
}

func publicKey(block *pem.Block) (any, error) {
	switch block.Type {
	case "PUBLIC KEY":
		return x509.ParsePKIXPublicKey(block.Bytes)
	case "RSA PUBLIC KEY":
		return x509.ParsePKCS1PublicKey(block.Bytes)
	case "CERTIFICATE":
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		return cert.PublicKey, nil
	}
	if strings.HasSuffix(block.Type, pemType) {
		return nil, fmt.Errorf("a private key, where only the public one belongs: %w", fs.ErrInvalid)
	}
	return nil, fmt.Errorf("PEM block %q is no public key: %w", block.Type, fs.ErrInvalid)
}

// errKey: a key of a kind or size that does not count.
var errKey = errors.New("key is none of RSA (2048 bits or more), ECDSA P-256 and Ed25519")

// pin decides the one algorithm of a public key.
func pin(public any) (key, error) {
	switch k := public.(type) {
	case *rsa.PublicKey:
		if k.N.BitLen() >= minRSABits {
			return key{alg: rs256, public: k}, nil
		}
	case *ecdsa.PublicKey:
		if k.Curve == elliptic.P256() {
			return key{alg: es256, public: k}, nil
		}
	case ed25519.PublicKey:
		return key{alg: edDSA, public: k}, nil
	}
	return key{}, errKey
}
