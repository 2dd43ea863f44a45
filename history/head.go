package history

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"path"
	"time"

	"varve/history/blob"
)

// packFormat is the first byte of a packed version. Digests are made of packed
// versions, so a format is never changed, only followed by another.
const packFormat = 1

var errPacked = fmt.Errorf("packed version: %w", ErrDamaged)

// split divides a key's name into the two columns it is stored in.
func split(name string) (dir, base string) {
	if name == "." {
		return "", "."
	}
	return path.Dir(name), path.Base(name)
}

// join is the inverse of split.
func join(dir, base string) string {
	if dir == "." || dir == "" {
		return base
	}
	return dir + "/" + base
}

// isReal tells what Tx.Real looks for.
func isReal(v *Version) bool {
	return v.Kind == File || v.Kind == Dir && v.Flags&Implied == 0
}

// pack appends all of v but its Layer and Name: integers as varints, strings
// and lists preceded by their length, times as Unix nanoseconds, the content
// only for files.
func pack(b []byte, v *Version) []byte {
	b = append(b, packFormat, byte(v.Kind))
	b = binary.AppendUvarint(b, uint64(v.Flags))
	for _, n := range [...]int64{int64(v.Seq), nanos(v.Time), int64(v.Node)} {
		b = binary.AppendVarint(b, n)
	}
	if v.Kind == File {
		c := &v.Content
		b = append(b, c.Ref[:]...)
		b = append(b, c.SHA1[:]...)
		b = append(b, c.MD5[:]...)
		b = binary.LittleEndian.AppendUint32(b, c.CRC32)
		b = binary.AppendVarint(b, c.Size)
	}
	for _, n := range [...]int64{nanos(v.Mtime), nanos(v.Born),
		int64(v.Origin.Node), int64(v.Origin.Seq), int64(v.Base), int64(v.From.Node), int64(v.From.Seq),
		int64(v.Predecessor.Node), int64(v.Predecessor.Seq), v.Charge} {
		b = binary.AppendVarint(b, n)
	}
	for _, s := range [...]string{v.Spelling, v.Type, v.Tier} {
		b = appendString(b, s)
	}
	return packProps(b, v.Props)
}

func packProps(b []byte, props []Prop) []byte {
	b = binary.AppendUvarint(b, uint64(len(props)))
	for i := range props {
		p := &props[i]
		for _, s := range [...]string{p.Space, p.Local, p.Lang, p.Value} {
			b = appendString(b, s)
		}
	}
	return b
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// unpack reads what pack wrote into all of v but its Layer and Name. It keeps
// nothing of b, and v's own strings where they are the same.
func unpack(b []byte, v *Version) error {
	d := decoder{b: b}
	if d.byte() != packFormat {
		return fmt.Errorf("unknown format: %w", errPacked)
	}
	v.Kind, v.Flags = Kind(d.byte()), Flags(d.uvarint(math.MaxUint16))
	v.Seq, v.Time, v.Node = Seq(d.varint()), d.time(), Node(d.varint())
	v.Content = blob.Info{}
	if v.Kind == File {
		v.Content = d.content()
	}
	v.Mtime, v.Born = d.time(), d.time()
	v.Origin = Ref{Node(d.varint()), Seq(d.varint())}
	v.Base = Seq(d.varint())
	v.From = Ref{Node(d.varint()), Seq(d.varint())}
	v.Predecessor = Ref{Node(d.varint()), Seq(d.varint())}
	v.Charge = d.varint()
	v.Spelling, v.Type, v.Tier = d.string(), d.same(v.Type), d.same(v.Tier)
	v.Props = d.props()
	return d.end()
}

func unpackProps(b []byte) ([]Prop, error) {
	d := decoder{b: b}
	p := d.props()
	return p, d.end()
}

// decoder reads packed bytes; after a mistake it returns zeros and end says so.
type decoder struct {
	b   []byte
	bad bool
}

func (d *decoder) end() error {
	if d.bad {
		return errPacked
	}
	if len(d.b) > 0 {
		return fmt.Errorf("%d bytes too many: %w", len(d.b), errPacked)
	}
	return nil
}

func (d *decoder) take(n int) []byte {
	if n > len(d.b) {
		d.bad, d.b = true, nil
		return make([]byte, n)
	}
	p := d.b[:n]
	d.b = d.b[n:]
	return p
}

func (d *decoder) byte() byte { return d.take(1)[0] }

func (d *decoder) uvarint(most uint64) uint64 {
	n, size := binary.Uvarint(d.b)
	if size <= 0 || n > most {
		d.bad, d.b = true, nil
		return 0
	}
	d.b = d.b[size:]
	return n
}

func (d *decoder) varint() int64 {
	n, size := binary.Varint(d.b)
	if size <= 0 {
		d.bad, d.b = true, nil
		return 0
	}
	d.b = d.b[size:]
	return n
}

func (d *decoder) time() time.Time { return fromNanos(d.varint()) }

func (d *decoder) string() string {
	n := d.uvarint(uint64(len(d.b)))
	return string(d.take(int(n)))
}

// same reads a string that likely is old.
func (d *decoder) same(old string) string {
	n := d.uvarint(uint64(len(d.b)))
	if b := d.take(int(n)); string(b) != old {
		return string(b)
	}
	return old
}

func (d *decoder) content() (c blob.Info) {
	copy(c.Ref[:], d.take(len(c.Ref)))
	copy(c.SHA1[:], d.take(len(c.SHA1)))
	copy(c.MD5[:], d.take(len(c.MD5)))
	c.CRC32 = binary.LittleEndian.Uint32(d.take(4))
	c.Size = d.varint()
	return c
}

func (d *decoder) props() []Prop {
	// Each takes at least the four lengths.
	n := d.uvarint(uint64(len(d.b) / 4))
	if n == 0 {
		return nil
	}
	props := make([]Prop, n)
	for i := range props {
		props[i] = Prop{Space: d.string(), Local: d.string(), Lang: d.string(), Value: d.string()}
	}
	return props
}

// nanos is how a time is stored. What lies outside the years that an int64 of
// nanoseconds reaches (1678 to 2261) becomes their end.
func nanos(t time.Time) int64 {
	switch year := t.UTC().Year(); {
	case year < 1678:
		return math.MinInt64
	case year > 2261:
		return math.MaxInt64
	}
	return t.UnixNano()
}

func fromNanos(n int64) time.Time { return time.Unix(0, n).UTC() }

var errKey = errors.New("not a cleaned name")

// validKey refuses what would break the order of keys: it is the last guard
// against a caller that did not clean a name.
func validKey(name string) error {
	if name == "" || path.Clean(name) != name || name[0] == '/' || name == ".." || len(name) > 3 && name[:3] == "../" {
		return fmt.Errorf("%q: %w", name, errKey)
	}
	return nil
}
