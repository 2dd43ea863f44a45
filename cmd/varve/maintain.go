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
		if err := tidy(ctx, store, log); err != nil && ctx.Err() == nil {
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
