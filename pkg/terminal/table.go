package terminal

import (
	"io"
	"slices"
	"strings"

	"github.com/rivo/uniseg"
)

const gap = "  "

// Column is a column of a table.
type Column struct {
	Name string
	// Most is its maximum width; 0 for any. Longer text is cut in its middle.
	Most int
	// Least is its minimum width on a narrow screen; 0 for a column that is never cut.
	Least int
	// Spare marks a column that may be left out if it is not 0: the highest goes first.
	Spare int
}

// WriteTable writes rows below the names of their columns, each as wide as its content;
// wide characters count as a terminal shows them. If the table is wider than the screen,
// the longest texts are cut in their middle; if that is not enough, columns are left out.
// An empty cell is shown as a dash.
func (s Screen) WriteTable(out io.Writer, columns []Column, rows [][]string) error {
	widths := make([]int, len(columns))
	for i, c := range columns {
		widths[i] = Width(c.Name)
	}
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], Width(Dash(cell)))
		}
	}
	s.fit(columns, widths)
	var b strings.Builder
	line := func(row []string, paint func(string) string) {
		var cells []string
		for i, cell := range row {
			if widths[i] > 0 {
				cells = append(cells, Pad(Middle(Dash(cell), widths[i]), widths[i]))
			}
		}
		b.WriteString(paint(strings.TrimRight(strings.Join(cells, gap), " ")) + "\n")
	}
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.Name
	}
	line(names, s.Faint)
	for _, row := range rows {
		line(row, func(text string) string { return text })
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// fit reduces the widths to fit the screen; a width of 0 leaves the column out.
func (s Screen) fit(columns []Column, widths []int) {
	for i, c := range columns {
		if c.Most > 0 {
			widths[i] = min(widths[i], c.Most)
		}
	}
	if s.Width == 0 {
		return
	}
	natural := slices.Clone(widths)
	for {
		for total(widths) > s.Width {
			widest := -1
			for i, c := range columns {
				if c.Least > 0 && widths[i] > c.Least && (widest < 0 || widths[i] > widths[widest]) {
					widest = i
				}
			}
			if widest < 0 {
				break
			}
			widths[widest]--
		}
		spare := -1
		for i, c := range columns {
			if natural[i] > 0 && c.Spare > 0 && (spare < 0 || c.Spare > columns[spare].Spare) {
				spare = i
			}
		}
		if total(widths) <= s.Width || spare < 0 {
			return
		}
		natural[spare] = 0
		copy(widths, natural)
	}
}

func total(widths []int) int {
	sum := -len(gap)
	for _, w := range widths {
		if w > 0 {
			sum += w + len(gap)
		}
	}
	return sum
}

// Middle cuts text to at most that many columns of a terminal, in its middle, since the
// beginning shows the subject and the end is what differs.
func Middle(s string, most int) string {
	n := Width(s)
	if n <= most {
		return s
	}
	if n == len(s) { // one byte is one column
		head := min(most/2, most-1)
		return s[:head] + "…" + s[len(s)-(most-1-head):]
	}
	var parts []string
	for g := uniseg.NewGraphemes(s); g.Next(); {
		parts = append(parts, g.Str())
	}
	head, tail, width := 0, len(parts), 1 // of the ellipsis
	for ; head < tail; head++ {
		w := Width(parts[head])
		if width+w > min(1+most/2, most) {
			break
		}
		width += w
	}
	for ; tail > head; tail-- {
		w := Width(parts[tail-1])
		if width+w > most {
			break
		}
		width += w
	}
	return strings.Join(parts[:head], "") + "…" + strings.Join(parts[tail:], "")
}
