package authz

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func openKeys(t *testing.T, dir string) *Keys {
	t.Helper()
	k, err := OpenKeys(dir)
	if err != nil {
		t.Fatalf("OpenKeys(%s): %v", dir, err)
	}
	return k
}

func TestOpenKeysMakesOneForItsOwnerOnly(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store", "keys")
	first := openKeys(t, dir)
	if again := openKeys(t, dir); !first.signer.Equal(again.signer) {
		t.Error("OpenKeys made another key")
	}
	got := map[string]fs.FileMode{}
	filepath.WalkDir(filepath.Dir(dir), func(name string, d fs.DirEntry, _ error) error {
		info, err := d.Info()
		got[d.Name()] = info.Mode().Perm()
		return err
	})
	want := map[string]fs.FileMode{"store": 0o700, "keys": 0o700, "0001.pem": 0o600}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

func TestOpenKeysAtTheSameTimeMakesOne(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	all := make([]*Keys, 8)
	var group sync.WaitGroup
	for i := range all {
		group.Go(func() { all[i] = openKeys(t, dir) })
	}
	group.Wait()
	for _, k := range all {
		if !k.signer.Equal(all[0].signer) {
			t.Error("two callers have different keys")
		}
	}
}

func TestKeysRotate(t *testing.T) {
	w := newWorld(t, nil)
	old := w.local(Claims{Sub: "ann"})
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	writeKey(t, filepath.Join(dir, "0001.pem"), w.keys.signer)
	if err := createKey(filepath.Join(dir, "0002.pem")); err != nil {
		t.Fatal(err)
	}
	w.keys = openKeys(t, dir)
	both := w.elsewhere()
	token := w.local(Claims{Sub: "ann"})
	for _, text := range []string{old, token} {
		if _, err := both.Verify(t.Context(), text); err != nil {
			t.Errorf("Verify with both keys: %v", err)
		}
	}
	w.refuses(token) // by who has the old one only
	if err := os.Remove(filepath.Join(dir, "0001.pem")); err != nil {
		t.Fatal(err)
	}
	w.keys = openKeys(t, dir)
	if _, err := w.elsewhere().Verify(t.Context(), old); !errors.Is(err, ErrUnauthorized) {
		t.Errorf("Verify without the old key = %v, want ErrUnauthorized", err)
	}
}

func TestOpenKeysRefuses(t *testing.T) {
	good := newWorld(t, nil).keys.signer
	public, err := x509.MarshalPKIXPublicKey(good.Public())
	if err != nil {
		t.Fatal(err)
	}
	_, other := rsaKey(t)
	for name, setup := range map[string]func(dir, file string) error{
		"a directory others may enter": func(dir, _ string) error { return os.Chmod(dir, 0o750) },
		"a key others may read":        func(_, file string) error { return os.Chmod(file, 0o640) },
		"an empty file":                func(_, file string) error { return os.Truncate(file, 0) },
		"half a key":                   func(_, file string) error { return os.Truncate(file, 60) },
		"a public key": func(_, file string) error {
			return os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}), 0o600)
		},
		"broken bytes": func(_, file string) error {
			return os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: pemType, Bytes: public}), 0o600)
		},
		"another kind of key": func(_, file string) error { writeKey(t, file, other); return nil },
		"a directory":         func(_, file string) error { return errors.Join(os.Remove(file), os.Mkdir(file, 0o700)) },
	} {
		dir := filepath.Join(t.TempDir(), "keys")
		openKeys(t, dir)
		if err := setup(dir, filepath.Join(dir, firstKey)); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenKeys(dir); err == nil {
			t.Errorf("OpenKeys with %s: no error", name)
		}
	}
}

func TestMintRefusesClaims(t *testing.T) {
	w := newWorld(t, nil)
	for _, c := range []Claims{
		{}, {Sub: "a\nb"}, {Sub: strings.Repeat("a", 256)}, {Sub: "ann", Session: "short"}, {Sub: "ann", Session: "no blanks"},
		{Sub: "ann", Path: "/docs"}, {Sub: "ann", Path: ".."}, {Sub: "ann", TTL: -time.Second},
		{Sub: "ann", Session: "session1", Scopes: Read | Admin},
	} {
		if token, err := w.keys.Mint(w.time, c); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("Mint(%+v) = %s, %v, want fs.ErrInvalid", c, shown(token), err)
		}
	}
}

// Others who read the set find the keys varve signs with.
func TestJWKSOfVarve(t *testing.T) {
	w := newWorld(t, nil)
	text, err := w.JWKS()
	if err != nil {
		t.Fatal(err)
	}
	keys, err := parseSet(text)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(w.keys.public, keys, cmp.AllowUnexported(key{})); diff != "" {
		t.Errorf("JWKS (-want +got):\n%s", diff)
	}
}

func TestParseScopes(t *testing.T) {
	for words, want := range map[string]Scope{
		"": 0, "read": Read, " read  write ": Read | Write, "admin,export,read": Read | Export | Admin,
		"read write share publish export admin": Read | Write | Share | Publish | Export | Admin,
	} {
		got, err := ParseScopes(words)
		if err != nil || got != want {
			t.Errorf("ParseScopes(%q) = %v, %v, want %v", words, got, err, want)
		}
		if again, err := ParseScopes(got.String()); err != nil || again != got {
			t.Errorf("ParseScopes(%q) = %v, %v, want %v", got.String(), again, err, got)
		}
	}
	for _, words := range []string{"Read", "rw", "read;write", "*"} {
		if got, err := ParseScopes(words); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("ParseScopes(%q) = %v, %v, want fs.ErrInvalid", words, got, err)
		}
	}
}

func writeKey(t *testing.T, file string, key any) {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: pemType, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}
