package history

import (
	"math/bits"
	"strconv"
	"strings"
)

// maxRows is how many rows one statement writes or asks for.
const maxRows = 64

// statement is the text of one statement for 1, 2, 4 ... maxRows rows of
// parameters, so that few texts have to be prepared for any number of rows.
type statement struct {
	columns int
	texts   [7]string
}

// rowsOf makes a statement of before, rows of parameters in parentheses, after.
func rowsOf(before string, columns int, after string) *statement {
	s := &statement{columns: columns}
	for i := range s.texts {
		var b strings.Builder
		b.WriteString(before)
		for p := range columns << i {
			switch {
			case p == 0:
				b.WriteString("($")
			case p%columns == 0:
				b.WriteString("), ($")
			default:
				b.WriteString(", $")
			}
			b.WriteString(strconv.Itoa(p + 1))
		}
		b.WriteString(")")
		b.WriteString(after)
		s.texts[i] = b.String()
	}
	return s
}

// write calls run with texts that together write all rows in args.
func (s *statement) write(args []any, run func(text string, args []any) error) error {
	for len(args) > 0 {
		rows := min(maxRows, len(args)/s.columns)
		size := bits.Len(uint(rows)) - 1
		n := s.columns << size
		if err := run(s.texts[size], args[:n]); err != nil {
			return err
		}
		args = args[n:]
	}
	return nil
}

// ask is write for a statement that does not mind a row twice: what is missing
// to the next size is filled with the last row.
func (s *statement) ask(args []any, run func(text string, args []any) error) error {
	for len(args) > 0 {
		rows := min(maxRows, len(args)/s.columns)
		size := bits.Len(uint(rows - 1))
		part, last := args[:rows*s.columns], args[(rows-1)*s.columns:rows*s.columns]
		args = args[rows*s.columns:]
		if len(part) < s.columns<<size {
			part = append(make([]any, 0, s.columns<<size), part...)
			for len(part) < s.columns<<size {
				part = append(part, last...)
			}
		}
		if err := run(s.texts[size], part); err != nil {
			return err
		}
	}
	return nil
}
