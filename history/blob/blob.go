// Package blob keeps immutable content under its SHA-256.
//
// Content arrives through Receive, which hashes while it spools: to memory up
// to Options.Inline bytes, beyond that to a temporary file that is synced,
// renamed to its locator and made durable (its directory synced) by Keep.
// Nothing is visible before Keep and nothing stays behind after Discard.
//
// A locator ("<sha256 in hex>.<random>") is unique to one upload, so two
// uploads of equal content never share a file: which of them stays is up to the
// database row that names it. Removing a file can therefore never take away
// content that somebody is just storing again.
package blob

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// Ref names content by its SHA-256.
type Ref [32]byte

// String is the lower-case hexadecimal form.
func (r Ref) String() string { return hex.EncodeToString(r[:]) }

// IsZero tells whether r names nothing.
func (r Ref) IsZero() bool { return r == Ref{} }

// Locator says where a blob's file lies; empty means inline in the database.
type Locator string

// Ref is the content that the file at l should have.
func (l Locator) Ref() (Ref, error) {
	hash, _, _ := strings.Cut(string(l), ".")
	return ParseRef(hash)
}

// Info is what is known of content beside its bytes.
type Info struct {
	Ref   Ref
	Size  int64    // bytes
	SHA1  [20]byte // for ownCloud's checksums (rclone)
	MD5   [16]byte // likewise: rclone compares no other when it has it too
	CRC32 uint32   // IEEE, for zip
}

// Digest is a checksum a client claims for what it sends.
type Digest struct {
	Algorithm string // "sha-256", "sha-512", "sha", "md5", "crc32", "adler32"
	Sum       []byte
}

// Expect is what must hold of a body for it to count as whole.
type Expect struct {
	Size    int64 // bytes, or -1 when not stated
	Max     int64 // refuse more than this many bytes; 0 means no limit
	Digests []Digest
}

// Errors of Receive. None of them leaves anything stored.
var (
	ErrShort    = errors.New("body is shorter or longer than announced")
	ErrDigest   = errors.New("body does not match its digest")
	ErrTooLarge = errors.New("body is larger than allowed")
)

// ParseRef reads the hexadecimal form.
func ParseRef(s string) (Ref, error) {
	var r Ref
	if len(s) != 2*len(r) {
		return Ref{}, fmt.Errorf("blob ref %q: want %d hexadecimal digits", s, 2*len(r))
	}
	if _, err := hex.Decode(r[:], []byte(s)); err != nil {
		return Ref{}, fmt.Errorf("blob ref %q: %w", s, err)
	}
	return r, nil
}
