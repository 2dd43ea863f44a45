package sql

import (
	"strconv"
	"strings"
)

// positional replaces the parameters of a query by question marks if they are
// numbered in the order they stand in, each once; else it returns the query as
// it is. Quotes of one kind may not stand within those of the other. SQLite
// takes $1 for a name, and the driver looks up the name of every parameter it
// binds in a list, so that a thousand of them would cost a million steps.
func positional(query string) string {
	var b strings.Builder
	quoted := false
	rest := query
	for n := 1; ; {
		i := strings.IndexAny(rest, `$'"`)
		if i < 0 {
			b.WriteString(rest)
			return b.String()
		}
		b.WriteString(rest[:i])
		mark := rest[i]
		rest = rest[i+1:]
		if mark != '$' {
			quoted = !quoted
		}
		if mark != '$' || quoted {
			b.WriteByte(mark)
			continue
		}
		after := strings.TrimLeft(rest, "0123456789")
		if rest[:len(rest)-len(after)] != strconv.Itoa(n) {
			return query
		}
		b.WriteByte('?')
		rest = after
		n++
	}
}
