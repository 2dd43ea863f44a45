package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"varve/cmd/varve/internal/bench"
)

type benchCmd struct {
	Only    string   `help:"Only workloads of which a line of the table matches this regular expression." placeholder:"REGEXP"`
	Peers   []string `help:"Peers to measure: some of apache, nginx, rclone, hacdias, or none. Default all there are." placeholder:"LIST"`
	Rounds  int      `help:"How often each workload is done to each server, in turn. Default 5; with --quick 3." placeholder:"N"`
	Time    term     `help:"How long one measurement takes. Default 500ms; with --quick 100ms." placeholder:"TERM"`
	Quick   bool     `help:"A minute instead of ten: shorter, and without what takes longest."`
	Session bool     `help:"Let varve's files lie in a session's layer instead of in the shared one."`
	Dir     string   `help:"Measure the disk of this directory, in temporary directories. Default: the system's for temporary files." placeholder:"DIR"`
	JSON    string   `help:"Write all figures to this file too." name:"json" placeholder:"FILE"`
}

// Help is shown by varve bench --help.
func (benchCmd) Help() string {
	return `Starts varve and every peer found on the machine (Apache mod_dav, nginx with dav-ext, rclone serve
webdav, hacdias/webdav) on loopback, each over an empty temporary directory, does the same workloads
to all of them in turn, and prints the medians and how many times as fast varve is. It needs 12 GB of
disk for a while, and a machine with nothing else to do. Beside the figures stands what bounds them:
net/http answering the same requests from memory, or the disk. For example:
varve bench --quick --only 'GET|HEAD' --peers nginx,rclone`
}

// Run measures and prints the table.
func (b benchCmd) Run(ctx context.Context, c *console) error {
	cfg, err := b.config()
	if err != nil {
		return err
	}
	if cfg.Varve, err = os.Executable(); err != nil {
		return err
	}
	cfg.Progress = c.err
	report, err := bench.Run(ctx, cfg)
	if err != nil {
		return err
	}
	if b.JSON != "" {
		text, err := json.MarshalIndent(report, "", "  ")
		if err != nil {
			return err
		}
		if err := os.WriteFile(b.JSON, append(text, '\n'), 0o644); err != nil {
			return err
		}
	}
	return report.WriteTable(c.out)
}

// config is what the flags ask for.
func (b benchCmd) config() (bench.Config, error) {
	cfg := bench.Config{Dir: b.Dir, Quick: b.Quick, Session: b.Session, Rounds: 5, Time: 500 * time.Millisecond}
	if b.Quick {
		cfg.Rounds, cfg.Time = 3, 100*time.Millisecond
	}
	if b.Rounds != 0 {
		cfg.Rounds = b.Rounds
	}
	if b.Time != 0 {
		cfg.Time = time.Duration(b.Time)
	}
	if cfg.Rounds < 1 || cfg.Time > time.Minute {
		return cfg, usagef("want --rounds of at least 1 and --time of at most 1m")
	}
	if b.Only != "" {
		var err error
		if cfg.Only, err = regexp.Compile(b.Only); err != nil {
			return cfg, usageError{fmt.Errorf("--only: %w", err)}
		}
	}
	var err error
	cfg.Peers, err = b.peers()
	return cfg, err
}

// peers is the list of --peers; nil means all.
func (b benchCmd) peers() ([]string, error) {
	if slices.Equal(b.Peers, []string{"none"}) {
		return []string{}, nil
	}
	for _, name := range b.Peers {
		if !slices.Contains(bench.Names(), name) {
			return nil, usagef("--peers %q: want some of %s, or none", name, strings.Join(bench.Names(), ", "))
		}
	}
	return b.Peers, nil
}

// bareCmd is the other process of varve bench.
type bareCmd struct {
	Address string `arg:"" help:"To listen on."`
}

// Run serves until ctx ends.
func (b bareCmd) Run(ctx context.Context) error {
	err := bench.ServeBare(ctx, b.Address)
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}
