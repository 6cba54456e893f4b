package terminal

import (
	"os"

	"golang.org/x/term"
)

// Screen is what a text is written on for people to read.
type Screen struct {
	// Width is how many columns it has; 0 for as many as it takes.
	Width int
	// Colors says whether it shows colours.
	Colors bool
}

// Is says whether a stream is a terminal.
func Is(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// ScreenOf returns what a stream is written on. Only a terminal has colours, unless
// NO_COLOR is set (https://no-color.org) or it is a dumb one; what is none has room.
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

// Cut cuts a text in its middle so that it and so many other columns fit.
func (s Screen) Cut(text string, others int) string {
	if s.Width == 0 {
		return text
	}
	return Middle(text, max(s.Width-others, 1))
}

// Bold is a text that stands out.
func (s Screen) Bold(text string) string { return s.paint("1", text) }

// Bad is a text about what needs a person.
func (s Screen) Bad(text string) string { return s.paint("31", text) }

// Good is a text about what is done.
func (s Screen) Good(text string) string { return s.paint("32", text) }

// Faint is a text of less weight.
func (s Screen) Faint(text string) string { return s.paint("2", text) }

// paint selects a rendition of ECMA-48 for a text.
func (s Screen) paint(rendition, text string) string {
	if !s.Colors || text == "" {
		return text
	}
	return "\x1b[" + rendition + "m" + text + "\x1b[0m"
}
