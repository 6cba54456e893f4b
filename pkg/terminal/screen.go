package terminal

import (
	"os"
	"strings"

	"golang.org/x/term"
)

// Screen describes the output that people read.
type Screen struct {
	// Width is its number of columns; 0 if unlimited.
	Width int
	// Colors reports whether colours are used.
	Colors bool
}

// Is reports whether a stream is a terminal.
func Is(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// ScreenOf returns the screen of a stream. Only a terminal has colours, unless it is a dumb
// one or NO_COLOR is set (https://no-color.org). Anything other than a terminal has
// unlimited width.
func ScreenOf(stream any) (s Screen) {
	if !Is(stream) {
		return s
	}
	s.Colors = os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	if width, _, err := term.GetSize(int(stream.(*os.File).Fd())); err == nil && width > 0 {
		s.Width = width
	}
	return s
}

// Cut cuts a text in its middle to leave room for others more columns.
func (s Screen) Cut(text string, others int) string {
	if s.Width == 0 {
		return text
	}
	return Middle(text, max(s.Width-others, 1))
}

// Wrap breaks a text between words into lines that fit the screen, the first after a
// prefix and the others below it.
func (s Screen) Wrap(prefix, text string) string {
	indent := strings.Repeat(" ", Width(prefix))
	var b strings.Builder
	line := prefix
	for i, word := range strings.Fields(text) {
		switch {
		case i == 0:
			line += word
		case s.Width > 0 && Width(line)+1+Width(word) > s.Width:
			b.WriteString(line + "\n")
			line = indent + word
		default:
			line += " " + word
		}
	}
	return b.String() + line + "\n"
}

// Bold formats text that stands out.
func (s Screen) Bold(text string) string { return s.paint("1", text) }

// Bad formats text about something that needs a person.
func (s Screen) Bad(text string) string { return s.paint("31", text) }

// Good formats text about success.
func (s Screen) Good(text string) string { return s.paint("32", text) }

// Faint formats less important text.
func (s Screen) Faint(text string) string { return s.paint("2", text) }

// paint applies a graphic rendition of ECMA-48 to text.
func (s Screen) paint(rendition, text string) string {
	if !s.Colors || text == "" {
		return text
	}
	return "\x1b[" + rendition + "m" + text + "\x1b[0m"
}
