package bench

import (
	"context"
	"crypto/sha256"
	"errors"
	"os"
	"time"
)

// bound is what bounds a row and is no server: something done in dir.
type bound struct {
	name    string
	measure func(ctx context.Context, dir string) (float64, error)
}

// machine is a workload that is done to the machine only.
func machine(name, unit string, measure func(ctx context.Context, dir string) (float64, error)) workload {
	return workload{rows: []row{{name: name, unit: unit}}, bound: &bound{"machine", measure}}
}

// syncs is how often a second 8 KiB can be appended to a file and synced, one
// after the other: about what one small commit costs.
func syncs(ctx context.Context, dir string, d time.Duration) (rate float64, err error) {
	f, err := os.CreateTemp(dir, "syncs-")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(f.Name())) }()
	page := newBody(8 << 10)
	began := time.Now()
	n := 0
	for ; n == 0 || time.Since(began) < d; n++ {
		if _, err := f.Write(page); err != nil {
			return 0, err
		}
		if err := dataSync(f); err != nil {
			return 0, err
		}
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
	}
	return float64(n) / time.Since(began).Seconds(), nil
}

// hashing is how many megabytes a second one processor hashes.
func hashing(ctx context.Context, d time.Duration) (float64, error) {
	block := newBody(blockSize)
	h := sha256.New()
	began := time.Now()
	n := 0
	for ; n == 0 || time.Since(began) < d; n++ {
		h.Write(block)
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
	}
	return float64(n) * blockSize / 1e6 / time.Since(began).Seconds(), nil
}

// pipeline is how many megabytes a second of a large file are hashed and
// written by one goroutine, with one sync at the end.
func pipeline(ctx context.Context, dir string) (rate float64, err error) {
	f, err := os.CreateTemp(dir, "pipeline-")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(f.Name())) }()
	block := newBody(blockSize)
	h := sha256.New()
	began := time.Now()
	for range blocks {
		h.Write(block)
		if _, err := f.Write(block); err != nil {
			return 0, err
		}
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
	}
	if err := dataSync(f); err != nil {
		return 0, err
	}
	return megabytes(1, time.Since(began))[0], nil
}
