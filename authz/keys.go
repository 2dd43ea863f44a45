package authz

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"varve/history"
)

// defaultTTL is how long a minted JWT counts when Claims.TTL is zero.
const defaultTTL = 24 * time.Hour

// MaxPassword is how many bytes of a password neon clients, Finder and Windows
// take; a longer JWT reaches them cut. Offer a mount token instead.
const MaxPassword = 255

// Claims is what a token to be minted shall say.
type Claims struct {
	Sub     string
	Session string
	Scopes  Scope         // zero: read and write
	Path    string        // clean, key form; empty: not confined
	Aud     string        // empty: implied
	TTL     time.Duration // of the token; zero: a day, a mount token's: as long as its maker's
}

// Keys are the local signing keys in DIR/keys. Minting needs nothing else, so
// `varve token` works without a running server.
//
// Every file *.pem there is an Ed25519 key (PKCS #8). All of them verify; the
// last by name signs. To rotate, add 0002.pem, restart, and take 0001.pem away
// once the tokens it signed have expired.
//
// Keys may be used concurrently.
type Keys struct {
	signer ed25519.PrivateKey
	public []key
}

const (
	firstKey = "0001.pem"
	pemType  = "PRIVATE KEY"
)

// OpenKeys reads the keys in dir (mode 0700), making the first one if there is
// none. Keys that others may read are refused: fs.ErrPermission.
func OpenKeys(dir string) (*Keys, error) {
	if err := history.MakeDir(dir); err != nil {
		return nil, err
	}
	if err := private(dir); err != nil {
		return nil, err
	}
	files, err := keyFiles(dir)
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		first := filepath.Join(dir, firstKey)
		if err := createKey(first); err != nil {
			return nil, err
		}
		files = []string{first}
	}
	k := &Keys{}
	for _, file := range files {
		if k.signer, err = readKey(file); err != nil {
			return nil, err
		}
		public := k.signer.Public().(ed25519.PublicKey)
		k.public = append(k.public, key{id: keyID(public), alg: edDSA, public: public})
	}
	return k, nil
}

// keyFiles lists the keys in dir, by name.
func keyFiles(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var files []string
	for _, e := range entries {
		if filepath.Ext(e.Name()) == ".pem" {
			files = append(files, filepath.Join(dir, e.Name()))
		}
	}
	return files, nil
}

// keyID is short, since it is part of every token, and is derived from the key,
// so that it need not be stored and does not depend on the file's name.
func keyID(public ed25519.PublicKey) string {
	sum := sha256.Sum256(public)
	return base64.RawURLEncoding.EncodeToString(sum[:3])
}

// private refuses what others than the owner may read or change.
func private(name string) error {
	info, err := os.Stat(name)
	if err != nil {
		return err
	}
	// Windows has no such bits and reports made up ones.
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("%s: mode %v lets others in (chmod go= helps): %w", name, info.Mode().Perm(), fs.ErrPermission)
	}
	return nil
}

func readKey(file string) (ed25519.PrivateKey, error) {
	if err := private(file); err != nil {
		return nil, err
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != pemType {
		return nil, fmt.Errorf("%s: no PEM block %q: %w", file, pemType, fs.ErrInvalid)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	signer, ok := parsed.(ed25519.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("%s: not an Ed25519 key: %w", file, fs.ErrInvalid)
	}
	return signer, nil
}

// createKey makes a key in file, whole and durable or not at all. Of two
// processes that do it at once one wins, and both use its key.
func createKey(file string) error {
	_, signer, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKCS8PrivateKey(signer)
	if err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(file), "new-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	err = pem.Encode(tmp, &pem.Block{Type: pemType, Bytes: der})
	if err := errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	// Unlike a rename, a link never replaces a key that signed already.
	if err := os.Link(tmp.Name(), file); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return history.SyncDir(filepath.Dir(file))
}

// Mint signs a compact JWT of varve's own: no typ, iss and aud implied by the
// key's id, and only what differs from the default. Claims that no token may
// hold are fs.ErrInvalid. See MaxPassword for its length.
func (k *Keys) Mint(now time.Time, c Claims) (string, error) {
	return k.sign(now, "", newJTI(), c)
}

// sign is Mint for the user of an issuer other than varve's own, too.
func (k *Keys) sign(now time.Time, issuer, jti string, c Claims) (string, error) {
	if c.TTL == 0 {
		c.TTL = defaultTTL
	}
	said, err := c.claims(now.Add(c.TTL), issuer, jti)
	if err != nil {
		return "", err
	}
	if c.TTL < 0 {
		return "", fmt.Errorf("term %v of a token: %w", c.TTL, fs.ErrInvalid)
	}
	token := jwt.NewWithClaims(jwt.SigningMethodEdDSA, said)
	token.Header = map[string]any{"alg": edDSA, "kid": keyID(k.signer.Public().(ed25519.PublicKey))}
	return token.SignedString(k.signer)
}

// newJTI has 64 random bits in 11 characters: enough to be unique, and nothing
// is gained by guessing one.
func newJTI() string {
	var b [8]byte
	rand.Read(b[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// isJTI tells whether newJTI could have made id.
func isJTI(id string) bool {
	b, err := base64.RawURLEncoding.Strict().DecodeString(id)
	return err == nil && len(b) == 8
}

// JWKS is the JSON Web Key Set others verify varve's own tokens with.
func (k *Keys) JWKS() ([]byte, error) {
	type public struct {
		Type  string `json:"kty"`
		Curve string `json:"crv"`
		X     string `json:"x"`
		ID    string `json:"kid"`
		Alg   string `json:"alg"`
		Use   string `json:"use"`
	}
	var set struct {
		Keys []public `json:"keys"`
	}
	for _, one := range k.public {
		x := base64.RawURLEncoding.EncodeToString(one.public.(ed25519.PublicKey))
		set.Keys = append(set.Keys, public{"OKP", "Ed25519", x, one.id, one.alg, "sig"})
	}
	return json.Marshal(set)
}
