// Package bench measures varve against its peers: other WebDAV servers found on
// the machine, driven in one run by the same client with the same requests.
//
// # What makes a run fair
//
// Every server listens on loopback over an empty directory of the same disk and
// checks a password or token that is cheap to check; none writes a log of
// requests. A workload is done to all servers in turn, A B C A B C, so that what
// else the machine does meets all of them, and the median of the rounds counts.
// Dirty pages are written back before each measurement, or the server that syncs
// would pay for the one before it that does not. Nobody but varve syncs what it
// acknowledges.
//
// # What bounds a figure
//
// Client and server share the machine's processors, so the client is lean (see
// client) and its limit is shown: the bare handler, which is net/http in another
// process, answers the very requests varve was sent with varve's own bytes from
// memory and checks nothing. For what waits for the disk it is the disk itself
// that is measured, in turn with the servers.
//
// # What is trusted
//
// A figure counts only if the answers are right: every status is checked, lists
// and trees are counted. A server that answers wrongly has no figure in that row,
// and the report says why.
package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"time"
)

// Config says what Run measures.
type Config struct {
	Varve    string         // the program; it must know the hidden command Bare names
	Dir      string         // where temporary directories are made: the disk that is measured; empty: the system's
	Peers    []string       // which to measure beside varve; nil: all that are found
	Only     *regexp.Regexp // of names of rows; nil: all
	Quick    bool           // leave out what takes long, unless Only asks for it
	Session  bool           // varve's files lie in a session's layer instead of in shared
	Rounds   int            // at least 1
	Time     time.Duration  // of one measurement; at least one request a client is always made
	Progress io.Writer      // is told which workload runs
}

// Bare is the hidden command of Config.Varve that runs ServeBare.
const Bare = "bench-bare"

// run is one run of the benchmark.
type run struct {
	Config
	dir     string
	servers []*server // varve first
	bare    *server   // nil once it has failed
	report  *Report
}

// Run starts varve and its peers, measures them and ends them. Servers that are
// not there or fail are named in the report; the error is about varve, the
// machine, or ctx, which ends the run.
func Run(ctx context.Context, cfg Config) (report *Report, err error) {
	for _, name := range cfg.Peers {
		if !slices.ContainsFunc(peers(), func(p peer) bool { return p.name == name }) {
			return nil, fmt.Errorf("unknown peer %q", name)
		}
	}
	r := &run{Config: cfg, report: newReport(cfg)}
	chosen := r.choose(workloads(cfg))
	if len(chosen) == 0 {
		return nil, errors.New("no workload has a row of that name")
	}
	if r.dir, err = os.MkdirTemp(cfg.Dir, "varve-bench-"); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(r.dir)) }()
	// A peer may have given up being root and must get to its own directory.
	if err := os.Chmod(r.dir, 0o711); err != nil {
		return nil, err
	}
	if err := os.Mkdir(r.disk(), 0o700); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.stop()) }()
	if err := r.start(ctx); err != nil {
		return nil, err
	}
	for i, w := range chosen {
		fmt.Fprintf(cfg.Progress, "%d/%d %s\n", i+1, len(chosen), w.rows[0].name)
		if err := r.measure(ctx, w); err != nil {
			return nil, err
		}
	}
	r.report.Took = time.Since(r.report.Began)
	return r.report, nil
}

// disk is the directory where the disk itself is measured.
func (r *run) disk() string { return filepath.Join(r.dir, "disk") }

// choose is the workloads that the configuration asks for.
func (r *run) choose(all []workload) []workload {
	return slices.DeleteFunc(all, func(w workload) bool {
		if r.Only == nil {
			return w.slow && r.Quick
		}
		return !slices.ContainsFunc(w.rows, func(row row) bool { return r.Only.MatchString(row.name) })
	})
}

// start starts varve, the bare handler and the peers.
func (r *run) start(ctx context.Context) error {
	varve, err := startVarve(ctx, r.Config, filepath.Join(r.dir, "varve"))
	if err != nil {
		return fmt.Errorf("varve: %w", err)
	}
	r.add(varve)
	if r.bare, err = startBare(ctx, r.Config, filepath.Join(r.dir, "bare")); err != nil {
		return fmt.Errorf("bare handler: %w", err)
	}
	for _, p := range peers() {
		if r.Peers != nil && !slices.Contains(r.Peers, p.name) {
			continue
		}
		s, err := p.start(ctx, filepath.Join(r.dir, p.name))
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			r.report.Skipped = append(r.report.Skipped, Skipped{p.name, err.Error()})
			continue
		}
		r.add(s)
	}
	return nil
}

func (r *run) add(s *server) {
	r.servers = append(r.servers, s)
	r.report.Servers = append(r.report.Servers, Server{s.name, s.version})
}

// stop ends all servers.
func (r *run) stop() error {
	var errs []error
	for _, s := range append(r.servers, r.bare) {
		if s != nil {
			errs = append(errs, s.process.stop())
		}
	}
	return errors.Join(errs...)
}

// measure does one workload to all servers, Rounds times in turn.
func (r *run) measure(ctx context.Context, w workload) error {
	if w.lacks != nil {
		if err := w.lacks(ctx); err != nil {
			r.report.Skipped = append(r.report.Skipped, Skipped{w.rows[0].name, err.Error()})
			return ctx.Err()
		}
	}
	turns := r.turns(ctx, w)
	for round := range r.Rounds {
		for _, t := range turns {
			if t.err != nil {
				continue
			}
			if err := writeBack(r.dir); err != nil {
				return err
			}
			runtime.GC() // not amid the measurement
			t.add(t.measure(ctx, round))
			if ctx.Err() != nil {
				return ctx.Err()
			}
		}
	}
	peak, err := r.servers[0].process.peak()
	if err != nil {
		r.report.PeakError = err.Error()
	}
	r.report.Peak = peak
	for i, row := range w.rows {
		r.report.add(row, turns, i, peak)
	}
	return ctx.Err()
}

// turn is one that a workload is done to: a server, or what bounds them.
type turn struct {
	name    string
	bound   bool
	measure func(ctx context.Context, round int) ([]float64, error)
	samples [][]float64 // by row
	err     error       // the first; it ends the turn
}

func (t *turn) add(values []float64, err error) {
	if err != nil {
		t.err = err
		return
	}
	for len(t.samples) < len(values) {
		t.samples = append(t.samples, nil)
	}
	for i, v := range values {
		t.samples[i] = append(t.samples[i], v)
	}
}

// turns makes the servers ready for a workload.
func (r *run) turns(ctx context.Context, w workload) []*turn {
	var all []*turn
	if w.measure != nil {
		for _, s := range r.servers {
			t := &turn{name: s.name, measure: func(ctx context.Context, round int) ([]float64, error) {
				return w.measure(ctx, s, round)
			}}
			if w.prepare != nil {
				t.err = w.prepare(ctx, s)
			}
			all = append(all, t)
		}
	}
	switch {
	case w.bound != nil:
		all = append(all, &turn{name: w.bound.name, bound: true, measure: func(ctx context.Context, round int) ([]float64, error) {
			v, err := w.bound.measure(ctx, r.disk())
			return []float64{v}, err
		}})
	case w.bare:
		t := &turn{name: r.bare.name, bound: true, measure: func(ctx context.Context, round int) ([]float64, error) {
			return w.measure(ctx, r.bare, round)
		}}
		t.err = r.bare.learn(ctx, r.servers[0], w.requests)
		all = append(all, t)
	}
	return all
}
