package history

import (
	"cmp"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// long is how much of the long form of a test to run, from VARVE_LONG: 0 to 1.
func long(t testing.TB, short, most int) int {
	f, err := strconv.ParseFloat(cmp.Or(os.Getenv("VARVE_LONG"), "0"), 64)
	if err != nil || f < 0 || f > 1 {
		t.Fatalf("VARVE_LONG = %q, want 0 to 1", os.Getenv("VARVE_LONG"))
	}
	return short + int(f*float64(most-short))
}

// model is the log as plainly as it can be said.
type model struct {
	versions map[Layer]map[string][]Version // of each name, by seq
	renewals []Version                      // Layer, Name, Seq and Time of each
	sessions []Session
	usage    map[Account]int64
	seq      Seq
}

func (m *model) clone() *model {
	c := *m
	c.versions = map[Layer]map[string][]Version{}
	for layer, names := range m.versions {
		c.versions[layer] = map[string][]Version{}
		for name, all := range names {
			c.versions[layer][name] = slices.Clip(all) // only ever appended to
		}
	}
	c.renewals, c.sessions, c.usage = slices.Clip(m.renewals), slices.Clone(m.sessions), maps.Clone(m.usage)
	return &c
}

func (m *model) at(k Key, at Seq) (found Version) {
	for _, v := range m.versions[k.Layer][k.Name] {
		if v.Seq <= at {
			found = v
		}
	}
	return found
}

func (m *model) names(layer Layer) []string {
	return slices.Sorted(maps.Keys(m.versions[layer]))
}

func under(name, dir string) bool {
	return name != "." && (dir == "." || strings.HasPrefix(name, dir+"/"))
}

func (m *model) head(v Version, at Seq) Head {
	h := Head{Version: v}
	if v.Kind != Dir || at != Live {
		return h
	}
	touch := func(o Version) {
		if o.Layer == v.Layer && (under(o.Name, v.Name) || o.Name == v.Name && o.Kind == Dir) && o.Seq > h.Touched {
			h.Touched, h.TouchedTime = o.Seq, o.Time
		}
	}
	for _, all := range m.versions[v.Layer] {
		touch(all[len(all)-1])
	}
	for _, r := range m.renewals {
		touch(r)
	}
	return h
}

func (m *model) below(layer Layer, dir string, at Seq, deep bool) []Head {
	var list []Head
	for _, n := range m.names(layer) {
		v := m.at(Key{layer, n}, at)
		if v.Kind == Gap || !under(n, dir) || !deep && parent(Key{layer, n}).Name != dir {
			continue
		}
		list = append(list, m.head(v, at))
	}
	return list
}

// apply is what the log should make of a change.
func (m *model) apply(c *Change, now time.Time) {
	m.seq++
	versions := slices.Clone(c.Versions)
	if c.Session != nil {
		i := slices.IndexFunc(m.sessions, func(s Session) bool { return s.ID == c.Session.ID })
		s := *c.Session
		s.Freeze = cmp.Or(s.Freeze, Live)
		if i < 0 {
			s.Born, s.Created = m.seq, now
			m.sessions = append(m.sessions, s)
			versions = append(versions, Version{Layer: s.Layer, Name: ".", Kind: Dir, Flags: Implied})
		} else {
			s.Layer, s.Owner, s.Born, s.Created = m.sessions[i].Layer, m.sessions[i].Owner, m.sessions[i].Born, m.sessions[i].Created
			m.sessions[i] = s
		}
	}
	for i, v := range versions {
		v.Seq, v.Time = m.seq, now
		if v.Node == NewNode && v.Kind >= File {
			v.Node = Node(m.seq)<<17 + Node(i)
		}
		if v.Mtime.IsZero() {
			v.Mtime = now
		}
		if v.Born.IsZero() {
			v.Born = now
		}
		if m.versions[v.Layer] == nil {
			m.versions[v.Layer] = map[string][]Version{}
		}
		m.versions[v.Layer][v.Name] = append(m.versions[v.Layer][v.Name], v)
		m.usage[c.Owner] += v.Charge
	}
	for _, k := range c.Renews {
		m.renewals = append(m.renewals, Version{Layer: k.Layer, Name: k.Name, Seq: m.seq, Time: now})
	}
}
