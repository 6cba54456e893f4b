// Package report writes deliveries and their statistics as text and as CSV.
package report

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"fairbridge/pkg/deliveries"
	"fairbridge/pkg/terminal"
)

const (
	// longestKey is the maximum width of an app's name.
	longestKey = 24
	// longestBar and shortestBar are the widths of the longest row's bar.
	longestBar, shortestBar = 40, 8
)

// WriteStats writes statistics as a table. width is that of the terminal, which shows bars
// if there is room; 0 for none.
func WriteStats(out io.Writer, s *deliveries.Stats, width int) error {
	heads := []string{"RECEIVED", "TICKETS", "WAITING", "DEAD", "DROPPED", "IGNORED", "REFUSED", "P50", "P95"}
	rows := [][]string{append([]string{strings.ToUpper(string(s.By))}, heads...)}
	most := 0
	for _, r := range s.Rows {
		rows = append(rows, cells(r, s.By != deliveries.ByApp, ""))
		most = max(most, r.Received)
	}
	more := ""
	if s.RefusedMore {
		more = "+"
	}
	total := cells(s.Total, true, more)
	total[0] = "all"
	rows = append(rows, total)

	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], terminal.Width(cell))
		}
	}
	used := 0
	for _, w := range widths {
		used += w + 2
	}
	bars := min(width-used, longestBar)
	var b bytes.Buffer
	fmt.Fprintf(&b, "Received from %s to %s\n\n", s.Since.Local().Format("2006-01-02 15:04"), s.Until.Local().Format("2006-01-02 15:04"))
	for n, row := range rows {
		line := terminal.Pad(row[0], widths[0])
		for i, cell := range row[1:] {
			line += strings.Repeat(" ", 2+widths[i+1]-terminal.Width(cell)) + cell
		}
		if n > 0 && n <= len(s.Rows) && bars >= shortestBar {
			line += "  " + bar(s.Rows[n-1].Received, most, bars)
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	_, err := out.Write(b.Bytes())
	return err
}

func cells(r deliveries.StatsRow, refused bool, more string) []string {
	row := []string{terminal.Dash(terminal.Shorten(terminal.Printable(r.Key), longestKey))}
	for _, n := range []int{r.Received, r.Tickets, r.Waiting, r.Dead, r.Dropped, r.Ignored} {
		row = append(row, humanize.Comma(int64(n)))
	}
	if refused {
		row = append(row, humanize.Comma(int64(r.Refused))+more)
	} else {
		row = append(row, "-")
	}
	return append(row, took(r, r.P50), took(r, r.P95))
}

// took formats a duration with at least two digits.
func took(r deliveries.StatsRow, ms int64) string {
	d := time.Duration(ms) * time.Millisecond
	switch {
	case r.Tickets == 0:
		return "-"
	case d < 10*time.Second:
		return fmt.Sprintf("%.1fs", d.Seconds())
	case d < 2*time.Minute:
		return fmt.Sprintf("%.0fs", d.Seconds())
	case d < 2*time.Hour:
		return fmt.Sprintf("%.0fm", d.Minutes())
	}
	return fmt.Sprintf("%.0fh", d.Hours())
}

// bar returns a bar whose length is n of most, in eighths of a column.
func bar(n, most, width int) string {
	eighths := (n*width*8 + most/2) / max(most, 1)
	if n > 0 {
		eighths = max(eighths, 1)
	}
	text := strings.Repeat("█", eighths/8)
	if rest := eighths % 8; rest > 0 {
		text += string([]rune("▏▎▍▌▋▊▉")[rest-1])
	}
	return text
}

// WriteStatsCSV writes the rows, or the total if there are none, with a header. Times are
// in milliseconds.
func WriteStatsCSV(out io.Writer, s *deliveries.Stats) error {
	rows := s.Rows
	if s.By == "" {
		rows = []deliveries.StatsRow{s.Total}
	}
	w := csv.NewWriter(out)
	_ = w.Write([]string{cmp.Or(string(s.By), "all"), "received", "tickets", "waiting", "dead", "dropped", "ignored", "refused", "p50Ms", "p95Ms"})
	for _, r := range rows {
		row := []string{terminal.CSVCell(r.Key)}
		for _, n := range []int{r.Received, r.Tickets, r.Waiting, r.Dead, r.Dropped, r.Ignored, r.Refused} {
			row = append(row, strconv.Itoa(n))
		}
		row = append(row, strconv.FormatInt(r.P50, 10), strconv.FormatInt(r.P95, 10))
		_ = w.Write(row)
	}
	w.Flush()
	return w.Error()
}
