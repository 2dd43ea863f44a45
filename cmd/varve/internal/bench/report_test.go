package bench

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestMedian(t *testing.T) {
	for _, tt := range []struct {
		samples []float64
		want    float64
	}{
		{nil, 0},
		{[]float64{3}, 3},
		{[]float64{9, 1}, 5},
		{[]float64{7, 100, 1}, 7},
		{[]float64{4, 1, 1000, 2}, 3},
	} {
		before := append([]float64(nil), tt.samples...)
		if got := median(tt.samples); got != tt.want {
			t.Errorf("median(%v) = %v, want %v", tt.samples, got, tt.want)
		}
		if diff := cmp.Diff(before, tt.samples); diff != "" {
			t.Errorf("median changes its argument\n%s", diff)
		}
	}
}

// reported is a report of one row, made of samples by name; "machine" bounds it.
func reported(row row, samples map[string][]float64, failed ...string) *Report {
	r := &Report{Servers: []Server{{varveName, "1"}, {"apache", "2"}, {"nginx", "3"}}}
	var turns []*turn
	for name, s := range samples {
		turns = append(turns, &turn{name: name, bound: name == "machine", samples: [][]float64{s}})
	}
	for _, name := range failed {
		turns = append(turns, &turn{name: name, bound: name == "machine", err: errors.New("status 500,\nwant [207]")})
	}
	r.add(row, turns, 0, 0)
	return r
}

func TestRatiosAreOfSpeed(t *testing.T) {
	rate, took := row{name: "GET", unit: "/s"}, row{name: "COPY", unit: "ms", less: true}
	for _, tt := range []struct {
		name    string
		row     row
		samples map[string][]float64
		failed  []string
		ratios  map[string]float64
		best    string
		toBest  float64
		toBound float64
	}{
		{
			name: "a rate", row: rate,
			samples: map[string][]float64{"varve": {100, 300, 200}, "apache": {100}, "nginx": {400}, "machine": {1000}},
			ratios:  map[string]float64{"varve": 0, "apache": 2, "nginx": 0.5}, best: "nginx", toBest: 0.5, toBound: 0.2,
		},
		{
			name: "a time", row: took,
			samples: map[string][]float64{"varve": {20}, "apache": {100}, "nginx": {10}, "machine": {5}},
			ratios:  map[string]float64{"varve": 0, "apache": 5, "nginx": 0.5}, best: "nginx", toBest: 0.5, toBound: 0.25,
		},
		{
			name: "the best failed", row: rate, failed: []string{"nginx"},
			samples: map[string][]float64{"varve": {100}, "apache": {50}},
			ratios:  map[string]float64{"varve": 0, "apache": 2, "nginx": 0}, best: "apache", toBest: 2,
		},
		{
			name: "varve failed", row: took, failed: []string{"varve"},
			samples: map[string][]float64{"apache": {50}, "machine": {5}},
			ratios:  map[string]float64{"varve": 0, "apache": 0}, best: "apache",
		},
		{name: "no peers", row: rate, samples: map[string][]float64{"varve": {1}}, ratios: map[string]float64{"varve": 0}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := reported(tt.row, tt.samples, tt.failed...).Rows[0]
			ratios := map[string]float64{}
			for name, c := range got.Cells {
				ratios[name] = c.Ratio
			}
			if diff := cmp.Diff(tt.ratios, ratios); diff != "" {
				t.Errorf("ratios, -want +got\n%s", diff)
			}
			if got.Best != tt.best || got.ToBest != tt.toBest {
				t.Errorf("best peer is %q at %v, want %q at %v", got.Best, got.ToBest, tt.best, tt.toBest)
			}
			if b := got.Bound; b != nil && b.Ratio != tt.toBound {
				t.Errorf("ratio to the bound = %v, want %v", b.Ratio, tt.toBound)
			}
		})
	}
}

func TestTable(t *testing.T) {
	r := reported(row{name: "PROPFIND Depth 1 of 10,000", unit: "/s"},
		map[string][]float64{"varve": {90, 110, 100}, "apache": {8}, "machine": {12345.6}}, "nginx")
	r.Rows = append(r.Rows, reported(row{name: "HEAD", unit: "/s"}, map[string][]float64{"varve": {1}, "apache": {2}}).Rows...)
	r.Skipped = []Skipped{{"hacdias", "there is no program webdav"}}
	r.System, r.CPUs, r.Go, r.Rounds, r.Time, r.Took, r.Peak = "plan9/mips", 3, "go1", 5, time.Second, time.Minute, 64<<20
	want := `plan9/mips, 3 processors, go1; medians of 5 rounds of 1s
varve 1
apache 2
nginx 3
hacdias is left out: there is no program webdav
In brackets: how many times as fast varve is (below 1: slower). Spread: of varve's rounds.

  workload                    unit  varve  spread     apache   nginx       best peer                   bound
  PROPFIND Depth 1 of 10,000    /s    100     20%    8 (12x)  failed    apache (12x)  machine 12,346 (0.01x)
  HEAD                          /s      1          2 (0.50x)          apache (0.50x)                        

PROPFIND Depth 1 of 10,000, nginx: status 500, want [207]
varve's memory at its most: 64 MiB resident. The run took 1m0s.
`
	var got strings.Builder
	if err := r.WriteTable(&got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got.String()); diff != "" {
		t.Errorf("table, -want +got\n%s", diff)
	}
}
