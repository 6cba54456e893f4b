// Package clip shortens text for people.
package clip

import (
	"strings"
	"unicode/utf8"

	"github.com/rivo/uniseg"
)

// Text cuts s to at most count runes, including end if anything was cut. It cuts between
// grapheme clusters (https://unicode.org/reports/tr29/). Only if the first cluster alone is
// too long, such as a letter with 200 combining marks, it keeps as many of its runes as
// fit.
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

// start returns the length in bytes of the first count runes of a cluster, without a
// trailing joiner.
func start(cluster string, count int) int {
	at := 0
	for ; count > 0; count-- {
		_, size := utf8.DecodeRuneInString(cluster[at:])
		at += size
	}
	return len(strings.TrimRight(cluster[:at], "\u200d"))
}
