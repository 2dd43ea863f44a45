package main

import (
	"cmp"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

// call is a system call that succeeded, as strace -f -y prints it.
type call struct {
	name         string
	file         string // what the descriptor stands for, or the path it takes first
	to           string // the path a rename gives
	text         string // what is read or written, as much of it as strace shows
	begins, ends int    // lines of the trace
}

func (c call) isSync() bool { return c.name == "fsync" || c.name == "fdatasync" }

// isSuccess tells whether c sends a 2xx.
func (c call) isSuccess() bool {
	return c.isWrite() && strings.HasPrefix(c.file, "socket:") && strings.HasPrefix(c.text, "HTTP/1.1 2")
}

func (c call) isWrite() bool {
	return slices.Contains([]string{"write", "pwrite64", "writev", "pwritev", "sendto", "sendmsg", "ftruncate", "fallocate"}, c.name)
}

// counts is the line from which c is to be reckoned with: an answer may be read
// as soon as it is being sent, all else holds when it is done.
func (c call) counts() int {
	if c.isSuccess() {
		return c.begins
	}
	return c.ends
}

var (
	traceLine   = regexp.MustCompile(`^(\d+) +(?:<\.\.\. )?(\w+)(\(| resumed>)(.*)$`)
	traceResult = regexp.MustCompile(`^(.*)\) += (\d+)\S*$`)
	traceFile   = regexp.MustCompile(`^\d+<([^>]*)>`)
	traceText   = regexp.MustCompile(`"((?:[^"\\]|\\.)*)"`)
)

// parseTrace reads the output of strace -f -y. Calls that fail, or whose
// beginning or end is missing, are left out.
func parseTrace(trace string) []call {
	type begun struct {
		line int
		args string
	}
	var (
		calls   []call
		running = map[string]begun{} // by thread
		n       = 0
	)
	for line := range strings.Lines(trace) {
		n++
		m := traceLine.FindStringSubmatch(strings.TrimSuffix(line, "\n"))
		if m == nil {
			continue
		}
		thread, name, resumed, args := m[1], m[2], m[3] != "(", m[4]
		begins := n
		if resumed {
			b, ok := running[thread]
			if !ok {
				continue
			}
			delete(running, thread)
			begins, args = b.line, b.args+args
		}
		if part, ok := strings.CutSuffix(args, " <unfinished ...>"); ok {
			running[thread] = begun{n, part}
			continue
		}
		if m := traceResult.FindStringSubmatch(args); m != nil {
			calls = append(calls, newCall(name, m[1], begins, n))
		}
	}
	return calls
}

func newCall(name, args string, begins, ends int) call {
	c := call{name: name, begins: begins, ends: ends}
	texts := traceText.FindAllStringSubmatch(args, 2)
	if m := traceFile.FindStringSubmatch(args); m != nil {
		c.file = m[1]
		if len(texts) > 0 {
			c.text = texts[0][1]
		}
		return c
	}
	if len(texts) > 0 {
		c.file, c.to = texts[0][1], texts[len(texts)-1][1]
	}
	return c
}

// within tells whether a file of the store is one that keeps content: SQLite
// rebuilds its -shm from the WAL.
func within(store, file string) bool {
	return strings.HasPrefix(file, store+"/") && !strings.HasSuffix(file, "-shm")
}

// unsynced is what was on its way to the disk only when a success was sent. A sync
// covers what was done before it began. Renaming moves what is unsynced to the
// new name, and leaves the directory to be synced.
func unsynced(store string, calls []call) (breaches []string) {
	calls = slices.Clone(calls)
	slices.SortStableFunc(calls, func(a, b call) int { return cmp.Compare(a.counts(), b.counts()) })
	dirty := map[string]int{} // files and directories, and the line of their last change
	for _, c := range calls {
		switch {
		case c.isSuccess():
			for _, file := range slices.Sorted(maps.Keys(dirty)) {
				breaches = append(breaches, fmt.Sprintf("line %d: answered before the sync of what line %d did to %s", c.begins, dirty[file], file))
			}
		case c.isSync():
			if dirty[c.file] < c.begins {
				delete(dirty, c.file)
			}
		case !within(store, c.file):
		case c.isWrite():
			dirty[c.file] = c.ends
		case strings.HasPrefix(c.name, "unlink"):
			delete(dirty, c.file)
		case strings.HasPrefix(c.name, "rename"):
			if line, ok := dirty[c.file]; ok {
				dirty[c.to] = line
				delete(dirty, c.file)
			}
			dirty[filepath.Dir(c.to)] = c.ends
		}
	}
	return breaches
}

// goodTrace is two uploads at once, to two threads: the first large, the second
// small and in the same commit.
const goodTrace = `7 read(16<socket:[1]>, "PUT /dav/large.bin HTTP/1.1\r\nHos"..., 4096) = 353
7 read(16<socket:[1]>, 0xc00, 65536) = -1 EAGAIN (Resource temporarily unavailable)
7 write(21</store/blobs/tmp/1>, "\1\2\""..., 65536 <unfinished ...>
8 read(17<socket:[2]>, "PUT /dav/small.txt HTTP/1.1\r\nHos"..., 4096) = 300
7 <... write resumed>)              = 65536
7 fsync(21</store/blobs/tmp/1>)      = 0
7 renameat(AT_FDCWD</>, "/store/blobs/tmp/1", AT_FDCWD</>, "/store/blobs/70/70dc.1") = 0
7 fsync(21</store/blobs/70>)         = 0
7 --- SIGURG {si_signo=SIGURG, si_code=SI_TKILL, si_pid=7, si_uid=0} ---
7 pwrite64(11</store/varve.db-wal>, "\0\0\0\4"..., 24, 185432) = 24
7 pwrite64(12</store/varve.db-shm>, "\0\0\0\4"..., 24, 0) = 24
7 fsync(11</store/varve.db-wal> <unfinished ...>
8 write(2</log>, "{\"level\":\"info\""..., 244) = 244
7 <... fsync resumed>)               = 0
7 write(16<socket:[1]>, "HTTP/1.1 201 Created\r\nEtag: \"70d"..., 451) = 451
8 write(17<socket:[2]>, "HTTP/1.1 204 No Content\r\nEtag: \""..., 451) = 451
8 pwrite64(11</store/varve.db-wal>, "\0\0\0\4"..., 24, 185432) = 24
`

func TestUnsynced(t *testing.T) {
	move := func(line, to int) func([]string) []string {
		return func(l []string) []string {
			moved := l[line-1]
			return slices.Insert(slices.Delete(l, line-1, line), to-1, moved)
		}
	}
	const answered = "line %d: answered before the sync of what line %d did to /store/%s"
	for _, test := range []struct {
		name string
		edit func([]string) []string
		want []string
	}{
		{"good", func(l []string) []string { return l }, nil},
		{"file synced under its new name", func(l []string) []string {
			l[5], l[6] = l[6], "7 fsync(21</store/blobs/70/70dc.1>) = 0\n"
			return l
		}, nil},
		{"file not synced", func(l []string) []string { return slices.Delete(l, 5, 6) }, []string{
			fmt.Sprintf(answered, 14, 5, "blobs/70/70dc.1"), fmt.Sprintf(answered, 15, 5, "blobs/70/70dc.1")}},
		{"file synced before its last write", move(6, 3), []string{
			fmt.Sprintf(answered, 15, 6, "blobs/70/70dc.1"), fmt.Sprintf(answered, 16, 6, "blobs/70/70dc.1")}},
		{"directory synced before the new name", move(8, 7), []string{
			fmt.Sprintf(answered, 15, 8, "blobs/70"), fmt.Sprintf(answered, 16, 8, "blobs/70")}},
		{"commit written while syncing", move(10, 13), []string{
			fmt.Sprintf(answered, 15, 13, "varve.db-wal"), fmt.Sprintf(answered, 16, 13, "varve.db-wal")}},
		{"answered while syncing", move(15, 14), []string{fmt.Sprintf(answered, 14, 10, "varve.db-wal")}},
		{"spooled and removed", func(l []string) []string {
			return slices.Replace(l, 5, 8, "7 unlinkat(AT_FDCWD</>, \"/store/blobs/tmp/1\", 0) = 0\n")
		}, nil},
		{"sync that failed", func(l []string) []string {
			l[13] = "7 <... fsync resumed>) = -1 EIO (Input/output error)\n"
			return l
		}, []string{fmt.Sprintf(answered, 15, 10, "varve.db-wal"), fmt.Sprintf(answered, 16, 10, "varve.db-wal")}},
	} {
		trace := strings.Join(test.edit(slices.Collect(strings.Lines(goodTrace))), "")
		if diff := gocmp.Diff(test.want, unsynced("/store", parseTrace(trace))); diff != "" {
			t.Errorf("%s: unsynced (-want +got):\n%s", test.name, diff)
		}
	}
}
