package history

import "varve/history/blob"

// MakeDir makes a directory of the store, and those above it, durably and for
// their owner alone, unless they are there.
func MakeDir(dir string) error { return blob.MakeDir(dir, nil) }

// SyncDir makes the names in a directory of the store durable.
func SyncDir(dir string) error { return blob.SyncDir(dir, nil) }
