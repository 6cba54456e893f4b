package report

import (
	"strings"
	"testing"
)

func TestAround(t *testing.T) {
	long := strings.Repeat("0123456789", 30)
	for _, test := range []struct{ a, b, wantA, wantB string }{
		{"", "", "", ""},
		{"one", "two", "one", "two"},
		{long, "", long[:200] + "…", ""},
		{long + "a", long + "b", "…" + long[260:] + "a", "…" + long[260:] + "b"},
		{"é" + long, "è" + long, "é" + long[:199] + "…", "è" + long[:199] + "…"},
		{long, long[:250], "…" + long[210:], "…" + long[210:250]},
	} {
		if a, b := around(test.a, test.b); a != test.wantA || b != test.wantB {
			t.Errorf("around(%q, %q)\n= %q, %q\nwant %q, %q", test.a, test.b, a, b, test.wantA, test.wantB)
		}
	}
}
