// Package clip cuts texts short for people.
package clip

import (
	"strings"
	"unicode/utf8"

	"github.com/rivo/uniseg"
)

// Text cuts s to at most count runes, end included if anything was cut. It cuts
// between grapheme clusters (https://unicode.org/reports/tr29/), unless the first
// of them is too long by itself, such as a letter with 200 combining marks: of
// that it keeps as many runes as there is room for, so that something remains.
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
		runes := utf8.RuneCountInString(cluster)
		if runes > room {
			if kept == 0 {
				kept = start(cluster, room)
			}
			break
		}
		room -= runes
		kept += len(cluster)
	}
	return s[:kept] + end
}

// start is how many bytes the first count runes of a cluster take, without a
// joiner at their end.
func start(cluster string, count int) int {
	at := 0
	for ; count > 0; count-- {
		_, size := utf8.DecodeRuneInString(cluster[at:])
		at += size
	}
	return len(strings.TrimRight(cluster[:at], "\u200d"))
}
