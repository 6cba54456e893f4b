package clip

import (
	"unicode/utf8"

	"github.com/rivo/uniseg"
)

// Bytes cuts s to at most count bytes, including end if anything was cut. Like Text, it
// cuts between grapheme clusters, or inside the first one if that alone is too long, and
// never inside a rune.
func Bytes(s string, count int, end string) string {
	if len(s) <= count {
		return s
	}
	room := count - len(end)
	if room < 0 {
		room, end = max(count, 0), ""
	}
	kept, rest, state := 0, s, -1
	for rest != "" {
		var cluster string
		cluster, rest, _, state = uniseg.FirstGraphemeClusterInString(rest, state)
		if kept+len(cluster) > room {
			break
		}
		kept += len(cluster)
	}
	if kept == 0 {
		for kept = room; kept > 0 && !utf8.RuneStart(s[kept]); {
			kept--
		}
	}
	return s[:kept] + end
}
