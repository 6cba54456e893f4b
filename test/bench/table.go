package main

import (
	"fmt"
	"io"
	"math"
	"strings"
	"text/tabwriter"
)

// row is a result as shown.
type row struct{ what, measured, floor, judged, must, verdict string }

var head = row{"what", "measured", "floor, same run", "ratio (min to max)", "must be", ""}

func (r result) row() row {
	out := row{what: r.What, measured: amount(r.Value.Median, r.Unit), must: r.Must}
	if r.FloorValue != nil {
		out.floor = r.Floor + ": " + amount(r.FloorValue.Median, r.Unit)
	}
	switch {
	case r.must.by == byRatio:
		out.judged = r.Judged.text("")
	case r.must.by == byDifference:
		out.judged = fmt.Sprintf("%+.1f (%+.1f to %+.1f) %s", r.Judged.Median, r.Judged.Min, r.Judged.Max, r.Unit)
	default:
		out.judged = r.Judged.text(r.Unit)
	}
	switch {
	case r.Busy:
		out.verdict = "busy machine, not judged"
	case r.Missed:
		out.verdict = "missed"
	case r.must.bound:
		out.verdict = "reached"
	case r.Before != nil && r.must.by == byValue:
		out.verdict = "last time " + r.Before.text(r.Unit)
	}
	if r.Worse != nil {
		out.verdict = strings.TrimPrefix(out.verdict+", worse than before: "+r.Worse.text(""), ", ")
	}
	return out
}

// text formats a spread with its unit.
func (s spread) text(unit string) string {
	if s.Min == s.Max {
		return amount(s.Median, unit)
	}
	return fmt.Sprintf("%s (%s to %s)", amount(s.Median, unit), number(s.Min), number(s.Max))
}

func amount(v float64, unit string) string { return strings.TrimSpace(number(v) + " " + unit) }

// number formats three significant digits, or all of those before the point; a count has no
// point.
func number(v float64) string {
	switch {
	case v >= 100 || v == math.Trunc(v):
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

// writeTable prints the report for a terminal.
func writeTable(out io.Writer, r report) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, strings.ToUpper(strings.Join(head.cells(), "\t")))
	for _, result := range r.Results {
		fmt.Fprintln(w, strings.Join(result.row().cells(), "\t"))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "\n%s\n", r.noise())
	return err
}

// writeMarkdown writes the report as a table for the documentation.
func writeMarkdown(out io.Writer, r report) {
	cells := head.cells()
	fmt.Fprintf(out, "| %s |\n|%s\n", strings.Join(cells, " | "), strings.Repeat(" --- |", len(cells)))
	for _, result := range r.Results {
		row := result.row()
		if result.Missed {
			row.verdict = "**" + row.verdict + "**"
		}
		fmt.Fprintf(out, "| %s |\n", strings.Join(row.cells(), " | "))
	}
}

func (r row) cells() []string {
	return []string{r.what, r.measured, r.floor, r.judged, r.must, r.verdict}
}

// noise describes how much the floors varied between the rounds. They do the same work each
// time, so the machine causes all of it.
func (r report) noise() string {
	var differences timings
	for _, result := range r.Results {
		if f := result.FloorValue; f != nil {
			differences = append(differences, f.unrest()*100)
		}
	}
	where := fmt.Sprintf("%s, %s, %d processors of a model that was not noted", r.Platform, r.Go, r.Processors)
	if r.Processor != "" {
		where = fmt.Sprintf("%s, %s, %d × %s, %.2f ms to sync a page to the disk", r.Platform, r.Go, r.Processors, r.Processor, r.Sync)
	}
	if r.Rounds < 2 || len(differences) == 0 {
		return fmt.Sprintf("%s, %d round: too few to tell figure from noise.", where, r.Rounds)
	}
	return fmt.Sprintf("%s, %d rounds. Noise: from the fastest to the slowest round, half of the floors differed by more than %.0f %%.",
		where, r.Rounds, differences.percentile(50))
}
