package blob

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"fmt"
	"hash"
	"hash/adler32"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"sync"
)

// sums hashes content in all the ways that are asked of it.
type sums struct {
	sha256, sha1, md5 hash.Hash
	crc32             hash.Hash32
	claimed           []claim
}

type claim struct {
	Digest
	hash hash.Hash // nil where sums has it anyway
}

func newSums(digests []Digest) (*sums, error) {
	s := &sums{sha256: sha256.New(), sha1: sha1.New(), md5: md5.New(), crc32: crc32.NewIEEE()}
	for _, d := range digests {
		c := claim{Digest: d}
		switch d.Algorithm {
		case "sha-256":
			c.hash = s.sha256
		case "sha":
			c.hash = s.sha1
		case "crc32":
			c.hash = s.crc32
		case "sha-512":
			c.hash = sha512.New()
		case "md5":
			c.hash = s.md5
		case "adler32":
			c.hash = adler32.New()
		default:
			return nil, fmt.Errorf("digest algorithm %q: %w", d.Algorithm, fs.ErrInvalid)
		}
		s.claimed = append(s.claimed, c)
	}
	return s, nil
}

// write hashes p. MD5 takes as long as all others together, so a large p is
// given to it and to them at once.
func (s *sums) write(p []byte) {
	const large = 16 << 10
	if len(p) < large {
		s.md5.Write(p)
		s.rest(p)
		return
	}
	var wg sync.WaitGroup
	wg.Go(func() { s.md5.Write(p) })
	s.rest(p)
	wg.Wait()
}

// rest hashes p in all ways but MD5.
func (s *sums) rest(p []byte) {
	s.sha256.Write(p)
	s.sha1.Write(p)
	s.crc32.Write(p)
	for _, c := range s.claimed {
		if c.hash != s.sha256 && c.hash != s.sha1 && c.hash != s.md5 && c.hash != s.crc32 {
			c.hash.Write(p)
		}
	}
}

// check holds the claimed digests against what was hashed.
func (s *sums) check() error {
	for _, c := range s.claimed {
		if got := c.hash.Sum(nil); !bytes.Equal(got, c.Sum) {
			return fmt.Errorf("%s is %x, claimed %x: %w", c.Algorithm, got, c.Sum, ErrDigest)
		}
	}
	return nil
}

func (s *sums) info(size int64) Info {
	i := Info{Size: size, CRC32: s.crc32.Sum32()}
	s.sha256.Sum(i.Ref[:0])
	s.sha1.Sum(i.SHA1[:0])
	s.md5.Sum(i.MD5[:0])
	return i
}

// Describe reads r to its end and tells what is known of its content.
func Describe(r io.Reader) (Info, error) {
	s, err := newSums(nil)
	if err != nil {
		return Info{}, err
	}
	buf := make([]byte, 64<<10)
	size := int64(0)
	for {
		n, err := r.Read(buf)
		s.write(buf[:n])
		size += int64(n)
		if errors.Is(err, io.EOF) {
			return s.info(size), nil
		}
		if err != nil {
			return Info{}, err
		}
	}
}

// Receive reads body to its end and hashes it. ErrShort, ErrDigest,
// ErrTooLarge, fs.ErrInvalid for an unknown digest algorithm, ctx's error or
// the reader's own error leave nothing behind.
func (s *Store) Receive(ctx context.Context, body io.Reader, want Expect) (*Upload, error) {
	if want.Max > 0 && want.Size > want.Max {
		return nil, ErrTooLarge
	}
	sums, err := newSums(want.Digests)
	if err != nil {
		return nil, err
	}
	u := &Upload{}
	if err := s.spool(ctx, u, body, want, sums); err != nil {
		s.Discard(u)
		return nil, err
	}
	return u, nil
}

// spool is the body of Receive; the caller discards u when it fails.
func (s *Store) spool(ctx context.Context, u *Upload, body io.Reader, want Expect, sums *sums) error {
	buf := s.buffers.Get().(*[]byte)
	defer s.buffers.Put(buf)
	size := int64(0)
	for eof := false; !eof; {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := fill(body, *buf)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		eof = err != nil
		chunk := (*buf)[:n]
		if size += int64(n); want.Max > 0 && size > want.Max {
			return ErrTooLarge
		}
		if want.Size >= 0 && size > want.Size {
			return fmt.Errorf("more than the announced %d bytes: %w", want.Size, ErrShort)
		}
		sums.write(chunk)
		if eof && u.file == nil && size <= s.inline {
			u.Data = bytes.Clone(chunk)
			break
		}
		if err := s.write(u, chunk); err != nil {
			return err
		}
	}
	if want.Size >= 0 && size != want.Size {
		return fmt.Errorf("%d of the announced %d bytes: %w", size, want.Size, ErrShort)
	}
	u.Info = sums.info(size)
	return sums.check()
}

// fill is io.ReadFull, but for a short read it returns the reader's own error:
// io.ErrUnexpectedEOF is what net/http says of a body that was cut off.
func fill(r io.Reader, p []byte) (n int, err error) {
	for empty := 0; n < len(p); {
		m, err := r.Read(p[n:])
		n += m
		if err != nil {
			return n, err
		}
		if empty++; m > 0 {
			empty = 0
		}
		if empty == 100 {
			return n, io.ErrNoProgress
		}
	}
	return n, nil
}

// write appends to the temporary file, which it makes first if there is none.
func (s *Store) write(u *Upload, p []byte) error {
	if u.file == nil {
		f, err := os.CreateTemp(s.tmp(), "")
		if err != nil {
			return err
		}
		u.file = f
	}
	_, err := u.file.Write(p)
	return err
}
