// Package printable makes text from other people safe to show: a terminal acts on nothing
// in it, and no part of it hides the rest.
package printable

import (
	"strings"
	"unicode"
)

// joiner combines emojis into one, such as a family.
const joiner = '\u200d'

// Rune reports whether r is visible and does nothing else. White space other than a plain
// space is not, nor is a character that reverses or hides the text after it.
func Rune(r rune) bool { return unicode.IsPrint(r) || r == joiner }

// Line turns s into one line of valid UTF-8: white space becomes spaces, and invisible
// characters are removed.
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
