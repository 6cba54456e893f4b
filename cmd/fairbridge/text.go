package main

import (
	"strings"
	"unicode"
)

// printable makes text of other people's fit for a terminal: one line, nothing
// that a terminal acts on.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r):
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD"))
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
