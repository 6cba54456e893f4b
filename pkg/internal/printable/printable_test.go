package printable_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"fairbridge/pkg/internal/printable"
)

func TestLine(t *testing.T) {
	for in, want := range map[string]string{
		"":                        "",
		"a b":                     "a b",
		"a\tb\r\nc\vd\fe":         "a b  c d e",
		"a\u00a0b\u3000c\u2028d":  "a b c d",
		"\u0085":                  " ",
		"\x1b[31mred\x07":         "[31mred",
		"\x00\x7f\u009b31m":       "31m",
		"photo\u202egnp.exe":      "photognp.exe",
		"\u2066a\u200bb\ufeff":    "ab",
		"soft\u00adhyphen":        "softhyphen",
		"\U000e0041\U0010ffff":    "",
		"\ufffe\uffff":            "",
		"a\xff\xc3b":              "a\uFFFDb",
		"日本 é\u0301 👍":            "日本 é\u0301 👍",
		"👨\u200d👩\u200d👧 ☺\ufe0f": "👨\u200d👩\u200d👧 ☺\ufe0f",
	} {
		if got := printable.Line(in); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}

func FuzzLine(f *testing.F) {
	f.Add("a\tb\x1b[31m\u202e\xff")
	f.Fuzz(func(t *testing.T, s string) {
		got := printable.Line(s)
		hidden := func(r rune) bool { return !printable.Rune(r) }
		if !utf8.ValidString(got) || strings.ContainsFunc(got, hidden) || printable.Line(got) != got {
			t.Errorf("%q became %q", s, got)
		}
	})
}
