// Package printable makes what other people wrote fit to be shown: nothing in it
// is acted on by a terminal, and nothing of it hides the rest.
package printable

import (
	"strings"
	"unicode"
)

// joiner is what emojis of several people are made with.
const joiner = '\u200d'

// Rune reports whether r is shown and nothing else. White space other than the
// plain space is not, nor is what reverses or hides the text after it.
func Rune(r rune) bool { return unicode.IsPrint(r) || r == joiner }

// Line makes s one line of valid UTF-8: white space becomes spaces, and what is not
// shown is left out.
func Line(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !Rune(r):
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
}
