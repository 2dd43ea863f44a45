package history

import (
	"math"

	"golang.org/x/sys/unix"
)

// Free is how many bytes the store's file system has left for us; a file
// system that does not say has no limit.
func (l *Log) Free() int64 {
	var s unix.Statfs_t
	if err := unix.Statfs(l.dir, &s); err != nil {
		return math.MaxInt64
	}
	free := s.Bavail * uint64(s.Bsize)
	return int64(min(free, math.MaxInt64))
}
