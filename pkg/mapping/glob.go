package mapping

import (
	"slices"
	"strings"
)

// glob is a text to compare with, in which * stands for any text, also none.
// There is no escape: a text with a * in it matches itself as well.
type glob string

// matches compares letter for letter.
func (g glob) matches(s string) bool {
	parts := strings.Split(string(g), "*")
	if len(parts) == 1 {
		return s == string(g)
	}
	s, ok := strings.CutPrefix(s, parts[0])
	if !ok {
		return false
	}
	last := len(parts) - 1
	for _, part := range parts[1:last] {
		// The first place is as good as any: what follows has only more room.
		at := strings.Index(s, part)
		if at < 0 {
			return false
		}
		s = s[at+len(part):]
	}
	return strings.HasSuffix(s, parts[last])
}

// all reports whether the glob matches every text.
func (g glob) all() bool { return g != "" && strings.Trim(string(g), "*") == "" }

// anyMatches reports whether one of the globs matches s.
func anyMatches(globs []glob, s string) bool {
	return slices.ContainsFunc(globs, func(g glob) bool { return g.matches(s) })
}
