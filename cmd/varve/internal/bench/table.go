package bench

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/dustin/go-humanize"
)

// WriteTable writes the report as people read it.
func (r *Report) WriteTable(out io.Writer) error {
	fmt.Fprintf(out, "%s, %d processors, %s; medians of %d rounds of %v\n", r.System, r.CPUs, r.Go, r.Rounds, r.Time)
	for _, s := range r.Servers {
		fmt.Fprintf(out, "%s %s\n", s.Name, s.Version)
	}
	for _, s := range r.Skipped {
		fmt.Fprintf(out, "%s is left out: %s\n", s.Name, s.Why)
	}
	if r.Session {
		fmt.Fprintln(out, "varve's files lie in a session's layer.")
	}
	fmt.Fprint(out, "In brackets: how many times as fast varve is (below 1: slower). Spread: of varve's rounds.\n\n")
	if err := r.writeRows(out); err != nil {
		return err
	}
	fmt.Fprintln(out)
	r.writeErrors(out)
	peak := humanize.IBytes(uint64(r.Peak))
	if r.PeakError != "" {
		peak = "unknown: " + r.PeakError
	}
	_, err := fmt.Fprintf(out, "varve's memory at its most: %s resident. The run took %v.\n", peak, r.Took.Round(time.Second))
	return err
}

// writeErrors says why figures are missing, once for rows measured together.
func (r *Report) writeErrors(out io.Writer) {
	said := ""
	say := func(row, name, why string) {
		if line := name + ": " + strings.Join(strings.Fields(why), " "); why != "" && line != said {
			fmt.Fprintf(out, "%s, %s\n", row, line)
			said = line
		}
	}
	for _, s := range r.Servers {
		for _, row := range r.Rows {
			say(row.Name, s.Name, row.Cells[s.Name].Error)
		}
	}
	for _, row := range r.Rows {
		if row.Bound != nil {
			say(row.Name, row.Bound.Name, row.Bound.Error)
		}
	}
}

// writeRows writes the table itself.
func (r *Report) writeRows(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	width := 0
	for _, row := range r.Rows {
		width = max(width, len(row.Name))
	}
	head := []string{fmt.Sprintf("%-*s", width, "workload"), "unit", varveName, "spread"}
	for _, s := range r.Servers[1:] {
		head = append(head, s.Name)
	}
	fmt.Fprintln(w, strings.Join(append(head, "best peer", "bound"), "\t")+"\t")
	for _, row := range r.Rows {
		row.Name = fmt.Sprintf("%-*s", width, row.Name) // the one column on the left
		fmt.Fprintln(w, strings.Join(r.cells(row), "\t")+"\t")
	}
	return w.Flush()
}

// cells are the columns of a row.
func (r *Report) cells(row Row) []string {
	ours := row.Cells[varveName]
	cells := []string{row.Name, row.Unit, figure(ours), ""}
	if len(ours.Samples) > 1 {
		cells[3] = fmt.Sprintf("%.0f%%", 100*ours.spread())
	}
	for _, s := range r.Servers[1:] {
		cells = append(cells, figure(row.Cells[s.Name]))
	}
	best, bound := "", ""
	if row.Best != "" {
		best = row.Best + times(row.ToBest)
	}
	if row.Bound != nil {
		bound = row.Bound.Name + " " + figure(row.Bound.Cell)
	}
	return append(cells, best, bound)
}

// figure is a cell as text.
func figure(c Cell) string {
	switch {
	case c.Error != "":
		return "failed"
	case len(c.Samples) == 0:
		return ""
	case c.Median >= 100:
		return humanize.Comma(int64(c.Median+0.5)) + times(c.Ratio)
	}
	return fmt.Sprintf("%.3g", c.Median) + times(c.Ratio)
}

// times is a ratio as text.
func times(ratio float64) string {
	switch {
	case ratio == 0:
		return ""
	case ratio >= 10:
		return fmt.Sprintf(" (%.0fx)", ratio)
	}
	return fmt.Sprintf(" (%.2fx)", ratio)
}
