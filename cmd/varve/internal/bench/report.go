package bench

import (
	"cmp"
	"maps"
	"math"
	"runtime"
	"slices"
	"time"
)

// Report is what a run found; as JSON it is the machine's copy of the table.
type Report struct {
	Began   time.Time     `json:"began"`
	Took    time.Duration `json:"took_ns"`
	Go      string        `json:"go"`
	System  string        `json:"system"`
	CPUs    int           `json:"cpus"`
	Rounds  int           `json:"rounds"`
	Time    time.Duration `json:"time_ns"` // of one measurement
	Session bool          `json:"session"` // varve's files lay in a session's layer
	Servers []Server      `json:"servers"` // varve first
	Skipped []Skipped     `json:"skipped"`
	Rows    []Row         `json:"rows"`

	// Peak is the most memory varve's process has had resident, in bytes.
	Peak      int64  `json:"varve_peak_rss_bytes"`
	PeakError string `json:"varve_peak_rss_error,omitempty"`
}

// Server is one that was measured.
type Server struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// Skipped is a peer or a workload that was not measured.
type Skipped struct {
	Name string `json:"name"`
	Why  string `json:"why"`
}

// Row is one line of the table. All ratios are of speed: above 1 varve is faster.
type Row struct {
	Name    string          `json:"name"`
	Unit    string          `json:"unit"`
	Less    bool            `json:"less_is_better"`
	Cells   map[string]Cell `json:"servers,omitempty"`
	Best    string          `json:"best_peer,omitempty"`
	ToBest  float64         `json:"ratio_to_best_peer,omitempty"`
	Bound   *Bound          `json:"bound,omitempty"`
	PeakRSS int64           `json:"varve_peak_rss_bytes_so_far"`
}

// Cell is what one server reached.
type Cell struct {
	Median  float64   `json:"median"`
	Samples []float64 `json:"samples"`         // by round
	Ratio   float64   `json:"ratio,omitempty"` // of varve to this server
	Error   string    `json:"error,omitempty"` // why there is no figure
}

// Bound is what a row cannot well be better than.
type Bound struct {
	Name string `json:"name"`
	Cell
}

func newReport(cfg Config) *Report {
	return &Report{
		Began: time.Now(), Skipped: []Skipped{}, Go: runtime.Version(), System: runtime.GOOS + "/" + runtime.GOARCH, CPUs: runtime.NumCPU(),
		Rounds: cfg.Rounds, Time: cfg.Time, Session: cfg.Session,
	}
}

// add appends the ith row of a workload.
func (r *Report) add(row row, turns []*turn, i int, peak int64) {
	made := Row{Name: row.name, Unit: row.unit, Less: row.less, PeakRSS: peak}
	for _, t := range turns {
		c := t.cell(i)
		if t.bound {
			made.Bound = &Bound{Name: t.name, Cell: c}
			continue
		}
		if made.Cells == nil {
			made.Cells = map[string]Cell{}
		}
		made.Cells[t.name] = c
	}
	made.compare()
	r.Rows = append(r.Rows, made)
}

// cell is what a turn found for its ith row.
func (t *turn) cell(i int) Cell {
	var c Cell
	if t.err != nil {
		c.Error = t.err.Error()
		return c
	}
	if i < len(t.samples) {
		c.Samples, c.Median = t.samples[i], median(t.samples[i])
	}
	return c
}

// compare fills in what follows from the medians.
func (r *Row) compare() {
	ours := r.Cells[varveName]
	for _, name := range slices.Sorted(maps.Keys(r.Cells)) {
		c := r.Cells[name]
		if name == varveName || c.Error != "" {
			continue
		}
		c.Ratio = r.ratio(ours, c)
		r.Cells[name] = c
		if r.Best == "" || r.ahead(c, r.Cells[r.Best]) {
			r.Best = name
		}
	}
	if r.Best != "" {
		r.ToBest = r.Cells[r.Best].Ratio
	}
	if r.Bound != nil && r.Bound.Error == "" {
		r.Bound.Ratio = r.ratio(ours, r.Bound.Cell)
	}
}

// ahead tells whether a is better than b.
func (r *Row) ahead(a, b Cell) bool {
	if r.Less {
		return a.Median < b.Median
	}
	return a.Median > b.Median
}

// ratio is the speed of a over that of b; 0 if either has no figure.
func (r *Row) ratio(a, b Cell) float64 {
	if r.Less {
		a, b = b, a
	}
	if a.Median == 0 || b.Median == 0 {
		return 0
	}
	return a.Median / b.Median
}

// median is the middle of samples, or the mean of the two in the middle; 0 of none.
func median(samples []float64) float64 {
	if len(samples) == 0 {
		return 0
	}
	sorted := slices.SortedFunc(slices.Values(samples), cmp.Compare[float64])
	mid := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[mid]
	}
	return (sorted[mid-1] + sorted[mid]) / 2
}

// spread is how far samples lie apart, as a share of their median.
func (c Cell) spread() float64 {
	if c.Median == 0 || math.IsNaN(c.Median) {
		return 0
	}
	return (slices.Max(c.Samples) - slices.Min(c.Samples)) / c.Median
}
