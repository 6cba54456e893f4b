// Package terminal shows text from other people on a terminal. The terminal acts on nothing
// in it, and wide characters get the columns that they need.
package terminal

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/dustin/go-humanize/english"
	"github.com/rivo/uniseg"

	"fairbridge/pkg/internal/printable"
)

// Printable turns text into one line that is safe to show.
func Printable(text string) string { return printable.Line(text) }

// Width returns how many columns of a terminal text takes.
func Width(text string) int {
	n := 0
	for _, r := range text {
		// Finding grapheme clusters is slow, and in nearly all text each of these
		// characters is one.
		if !(r >= ' ' && r <= '~' || r > 0xad && r < 0x300 || r == '…') {
			return uniseg.StringWidth(text)
		}
		n++
	}
	return n
}

// Shorten cuts text to at most that many columns of a terminal.
func Shorten(s string, most int) string {
	if Width(s) <= most {
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

// IndentedJSON returns JSON on lines of its own, as [JSON] has it; what is not JSON stays
// on its lines.
func IndentedJSON(data []byte) string {
	var indented bytes.Buffer
	if err := json.Indent(&indented, data, "", "  "); err != nil {
		return string(JSON(data))
	}
	return string(JSON(indented.Bytes()))
}

// JSON replaces invisible and control characters by \u escapes, which mean the same. The
// joiner that combines emojis stays.
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

// CSVCell keeps a spreadsheet from reading text as a formula.
func CSVCell(text string) string {
	if text != "" && strings.ContainsRune("=+-@\t\r", rune(text[0])) {
		return "'" + text
	}
	return text
}

// Pad pads text to that many columns of a terminal.
func Pad(s string, width int) string {
	return s + strings.Repeat(" ", max(0, width-Width(s)))
}

// Dash returns s, or a dash if it is empty.
func Dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// Age formats a duration roughly, as an age.
func Age(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", max(0, int(d.Seconds())))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	}
	return fmt.Sprintf("%dd", int(d.Hours()/24))
}

// Count returns "1 letter" or "2 letters".
func Count(n int, what string) string {
	return fmt.Sprintf("%d %s", n, english.PluralWord(n, what, ""))
}
