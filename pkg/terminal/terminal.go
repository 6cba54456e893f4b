// Package terminal shows on a terminal what other people wrote: nothing in it is
// acted on, and wide characters take the columns that they take.
package terminal

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/dustin/go-humanize/english"
	"github.com/rivo/uniseg"

	"fairbridge/pkg/internal/printable"
)

// Printable makes a text one line in which nothing is acted on.
func Printable(text string) string { return printable.Line(text) }

// Width is how many columns of a terminal a text takes.
func Width(text string) int {
	n := 0
	for _, r := range text {
		// To find graphemes takes long, and nearly all texts have one for each of
		// these.
		if !(r >= ' ' && r <= '~' || r > 0xad && r < 0x300 || r == '…') {
			return uniseg.StringWidth(text)
		}
		n++
	}
	return n
}

// Shorten cuts a text to so many columns of a terminal.
func Shorten(s string, most int) string {
	if uniseg.StringWidth(s) <= most {
		return s
	}
	var b strings.Builder
	width := 0
	for g := uniseg.NewGraphemes(s); g.Next() && width+g.Width() < most; {
		b.WriteString(g.Str())
		width += g.Width()
	}
	return b.String() + "…"
}

// JSON writes as \u escapes, which mean the same, what would be acted
// on or hidden. The joiner that emojis are made with stays.
func JSON(data []byte) []byte {
	shown := func(r rune) bool {
		return r != utf8.RuneError && (r == '\n' || printable.Rune(r) || unicode.Is(unicode.Zs, r))
	}
	if !slices.ContainsFunc([]rune(string(data)), func(r rune) bool { return !shown(r) }) {
		return data
	}
	var b strings.Builder
	for _, r := range string(data) {
		switch {
		case shown(r):
			b.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return []byte(b.String())
}

// CSVCell keeps a spreadsheet from taking a text for a formula.
func CSVCell(text string) string {
	if text != "" && strings.ContainsRune("=+-@\t\r", rune(text[0])) {
		return "'" + text
	}
	return text
}

// WriteTable writes rows in columns as wide as what is in them: wide characters
// count as a terminal shows them. An empty cell is a dash.
func WriteTable(out io.Writer, rows [][]string) error {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], uniseg.StringWidth(Dash(cell)))
		}
	}
	var b strings.Builder
	for _, row := range rows {
		for i, cell := range row {
			cell = Dash(cell)
			b.WriteString(cell)
			if i < len(row)-1 {
				b.WriteString(strings.Repeat(" ", widths[i]-uniseg.StringWidth(cell)+2))
			}
		}
		b.WriteByte('\n')
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// Pad fills a text up to so many columns of a terminal.
func Pad(s string, width int) string {
	return s + strings.Repeat(" ", max(0, width-uniseg.StringWidth(s)))
}

// Dash is a text, or a dash if it is empty.
func Dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// Count is "1 letter" or "2 letters".
func Count(n int, what string) string {
	return fmt.Sprintf("%d %s", n, english.PluralWord(n, what, ""))
}
