package main

import (
	"context"
	"errors"
	"time"

	"github.com/rs/zerolog"

	"varve/history"
)

// Maintenance reads the store's directories, so it waits until a server that has
// just started has served its clients, and is then done once a day.
const (
	maintainFirst = time.Hour
	maintainEvery = 24 * time.Hour
)

// maintain keeps the store tidy until ctx ends. What fails is tried again the
// next day: none of it is needed for what the store promises.
func maintain(ctx context.Context, store *history.Log, log zerolog.Logger) {
	next := time.NewTimer(maintainFirst)
	defer next.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-next.C:
			next.Reset(maintainEvery)
		}
		day := int(time.Now().Unix() / int64(24*time.Hour/time.Second))
		err := errors.Join(tidy(ctx, store, log), scrub(ctx, store, day, log))
		if err != nil && ctx.Err() == nil {
			log.Error().Err(err).Msg("maintenance")
		}
	}
}

// tidy takes away content that nothing names: rows first, and files once nobody
// can be reading them any more.
func tidy(ctx context.Context, store *history.Log, log zerolog.Logger) error {
	collected, collectErr := store.Collect(ctx)
	emptied, emptyErr := store.Empty(ctx, history.Grace)
	swept, sweepErr := store.Sweep(ctx, history.Grace)
	log.Info().Int("collected", collected).Int("emptied", emptied).Int("swept", swept).Msg("maintenance")
	return errors.Join(collectErr, emptyErr, sweepErr)
}

// scrubParts is in how many days all content is read again.
const scrubParts = 30

// scrub reads the day's part of all content and says what is damaged.
func scrub(ctx context.Context, store *history.Log, day int, log zerolog.Logger) error {
	report, err := store.Scrub(ctx, day, scrubParts)
	for _, p := range report.Problems {
		log.Error().Str("kind", string(p.Kind)).Msg(p.Text)
	}
	log.Info().Int64("blobs", report.Blobs).Int64("bytes", report.Bytes).
		Int("damaged", len(report.Problems)+report.Omitted).Msg("scrub")
	return err
}
