package history

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"varve/history/blob"
)

// full has something in every field that is packed.
var full = Version{
	Spelling: "Ä.txt", Seq: 7, Time: time.Unix(10, 11).UTC(), Node: 12, Kind: File, Flags: Placeholder | Hold,
	Content: blob.Info{Ref: blob.Ref{1, 2}, Size: 13, SHA1: [20]byte{3, 4}, MD5: [16]byte{5, 6}, CRC32: 14},
	Type:    "text/plain", Mtime: time.Unix(-15, 16).UTC(), Born: time.Unix(0, 0).UTC(),
	Props: []Prop{{"DAV:", "a", "en", "<b/>"}, {"", "c", "", ""}}, Tier: "standard",
	Origin: Ref{17, 18}, Base: 19, From: Ref{20, 21}, Predecessor: Ref{22, 23}, Charge: -24,
}

func TestPack(t *testing.T) {
	at := time.Unix(1, 0).UTC()
	for _, v := range []Version{full, {Kind: Dir, Time: at, Mtime: at, Born: at}, {Kind: Gap, Time: at, Mtime: at, Born: at}} {
		packed := pack(nil, &v)
		var got Version
		if err := unpack(packed, &got); err != nil {
			t.Fatalf("unpack: %v", err)
		}
		if diff := cmp.Diff(v, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("pack and unpack change\n%s", diff)
		}
		for n := range packed {
			if err := unpack(packed[:n], &got); !errors.Is(err, ErrDamaged) {
				t.Errorf("unpack of %d of %d bytes = %v, want ErrDamaged", n, len(packed), err)
			}
		}
		if err := unpack(append(packed, 0), &got); !errors.Is(err, ErrDamaged) {
			t.Errorf("unpack of a byte too many = %v, want ErrDamaged", err)
		}
	}
}

// What was packed is in stores for ever, and in their chains.
func TestPackedFormatStands(t *testing.T) {
	packed := pack(nil, &full)
	got := digest([]entry{{Version: &full, packed: packed}}, []Key{{Shared, "renewed"}})
	const want = "899f4bc5f537fa322a46ec0d15283441a2bb611d5cf9ca0866de5640c07ad705"
	if s := blob.Ref(got).String(); s != want {
		t.Errorf("digest = %s, want %s; packed is %x", s, want, packed)
	}
}

func TestTimesStayInRange(t *testing.T) {
	for _, in := range []time.Time{{}, time.Date(1601, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)} {
		once := fromNanos(nanos(in))
		if twice := fromNanos(nanos(once)); !twice.Equal(once) {
			t.Errorf("%v is stored as %v, and that as %v", in, once, twice)
		}
	}
	epoch := time.Unix(0, 0).UTC()
	if got := fromNanos(nanos(epoch)); !got.Equal(epoch) {
		t.Errorf("the epoch is stored as %v", got)
	}
}

func TestSplit(t *testing.T) {
	for name, want := range map[string][2]string{".": {"", "."}, "a": {".", "a"}, "a/b": {"a", "b"}, "a/b/c": {"a/b", "c"}} {
		dir, base := split(name)
		if [2]string{dir, base} != want || join(dir, base) != name {
			t.Errorf("split(%q) = %q, %q, joined %q", name, dir, base, join(dir, base))
		}
	}
}

func TestPackSession(t *testing.T) {
	for _, s := range []Session{
		{ID: "id", Layer: 2, Owner: Account{"i", "s"}, Name: "n", Born: 3, Created: time.Unix(4, 5).UTC(), Freeze: Live},
		{ID: "id", Created: time.Unix(4, 0).UTC(), Sealed: time.Unix(5, 0).UTC(), Freeze: 9},
	} {
		got, err := unpackSession(packSession(&s))
		if diff := cmp.Diff(s, got); err != nil || diff != "" {
			t.Errorf("unpackSession: %v\n%s", err, diff)
		}
	}
}

// FuzzUnpack feeds bytes that somebody may have put into the database.
func FuzzUnpack(f *testing.F) {
	f.Add(pack(nil, &full))
	f.Add(pack(nil, &Version{Kind: Dir}))
	f.Add([]byte{packFormat, byte(File)})
	f.Fuzz(func(t *testing.T, b []byte) {
		var v Version
		if err := unpack(b, &v); err != nil {
			if !errors.Is(err, ErrDamaged) {
				t.Errorf("unpack = %v, want ErrDamaged", err)
			}
			return
		}
		packed := pack(nil, &v)
		var again Version
		if err := unpack(packed, &again); err != nil {
			t.Fatalf("unpack of what was packed: %v", err)
		}
		if !bytes.Equal(pack(nil, &again), packed) {
			t.Errorf("packed twice differs: %x", packed)
		}
	})
}

func FuzzUnpackSession(f *testing.F) {
	f.Add(packSession(&Session{ID: "id", Name: "n"}))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := unpackSession(b)
		if err != nil {
			return
		}
		if _, err := unpackSession(packSession(&s)); err != nil {
			t.Errorf("unpackSession of what was packed: %v", err)
		}
	})
}
