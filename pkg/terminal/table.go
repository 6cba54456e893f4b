package terminal

import (
	"io"
	"strings"

	"github.com/rivo/uniseg"
)

// gap is what stands between two columns.
const gap = "  "

// Column is a column of a table.
type Column struct {
	Name string
	// Most is how wide it gets at most; 0 for any width. Longer texts are cut in their
	// middle.
	Most int
	// Least is how wide it stays where the screen has no room; 0 for a column that is
	// never cut.
	Least int
	// Spare is not 0 for a column that can be left out: the highest goes first.
	Spare int
}

// WriteTable writes rows under the names of their columns, as wide as what is in them:
// wide characters count as a terminal shows them. What does not fit on the screen is
// cut in the middle of its longest texts; if that is not enough, columns go. An empty
// cell is a dash.
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

// fit makes the widths of columns fit the screen; 0 is a column that is left out.
func (s Screen) fit(columns []Column, widths []int) {
	for i, c := range columns {
		if c.Most > 0 {
			widths[i] = min(widths[i], c.Most)
		}
	}
	if s.Width == 0 {
		return
	}
	natural := append([]int(nil), widths...)
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

// total is how many columns of a screen the widths take.
func total(widths []int) int {
	sum := -len(gap)
	for _, w := range widths {
		if w > 0 {
			sum += w + len(gap)
		}
	}
	return sum
}

// Middle cuts a text to so many columns of a terminal, in its middle: the beginning
// says what it is about, and the end is what differs.
func Middle(s string, most int) string {
	n := Width(s)
	if n <= most {
		return s
	}
	if n == len(s) { // a byte is a column
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
