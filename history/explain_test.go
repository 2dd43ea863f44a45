package history

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"varve/history/sql"
)

// statements are the texts that a log has run.
type statements struct {
	mu    sync.Mutex
	texts map[string]bool
}

// note is Options.fault.
func (s *statements) note(_ *sql.Conn, query string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.texts[query] = true
	return nil
}

// explain fails for every statement run so far that goes through a table from
// end to end, or sorts, other than Verify's, the one that takes the last row,
// and the one that chooses between the two names of a moved node.
func explain(t *testing.T, l *Log, s *statements) {
	t.Helper()
	for _, query := range slices.Sorted(maps.Keys(s.texts)) {
		if strings.HasPrefix(query, "PRAGMA") || verifying(query) || query == selectLast || query == selectVersionOf {
			continue
		}
		err := l.db.Read(t.Context(), func(c *sql.Conn) error {
			return c.Query("EXPLAIN QUERY PLAN "+query, nulls(query), func(r sql.Row) error {
				var id, up, unused int
				var detail string
				err := r.Scan(&id, &up, &unused, &detail)
				if isScan(detail) {
					t.Errorf("%s\nin the plan of\n%.300s", detail, query)
				}
				return err
			})
		})
		if err != nil {
			t.Errorf("EXPLAIN QUERY PLAN %.60s: %v", query, err)
		}
	}
}

func verifying(query string) bool {
	for _, v := range []string{verifyTotal, verifyIntegrity, verifyForeignKeys, verifyUsage, verifyStored,
		verifySessions, verifyChanges, verifyVersions, verifyRenewals, verifyHeads, verifyNewest, verifyBlobs, verifyNamed} {
		if query == v {
			return true
		}
	}
	return false
}

// nulls is something for every parameter of a query.
func nulls(query string) []any {
	n := 0
	for strings.Contains(query, "$"+strconv.Itoa(n+1)) {
		n++
	}
	return make([]any, n)
}

// isScan tells a walk over a table from one over rows of parameters, over what
// a recursion yields, or along an index towards its first row.
func isScan(detail string) bool {
	if strings.Contains(detail, "TEMP B-TREE") {
		return true
	}
	rest, ok := strings.CutPrefix(detail, "SCAN ")
	return ok && !strings.Contains(rest, "CONSTANT ROW") && !strings.Contains(rest, "VALUES CLAUSE") && rest != "t" && rest != "k" && rest != "names" && rest != "dirs"
}
