// Package clip cuts texts short for people.
package clip

import (
	"unicode/utf8"

	"github.com/rivo/uniseg"
)

// Text cuts s to at most count runes, end included if anything was cut. It cuts
// between grapheme clusters only (https://unicode.org/reports/tr29/).
func Text(s string, count int, end string) string {
	if len(s) <= count || utf8.RuneCountInString(s) <= count {
		return s
	}
	room := count - utf8.RuneCountInString(end)
	if room < 0 {
		room, end = count, ""
	}
	kept, rest, state := 0, s, -1
	for rest != "" {
		var cluster string
		cluster, rest, _, state = uniseg.FirstGraphemeClusterInString(rest, state)
		if room -= utf8.RuneCountInString(cluster); room < 0 {
			break
		}
		kept += len(cluster)
	}
	return s[:kept] + end
}
