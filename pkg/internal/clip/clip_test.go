package clip

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestText(t *testing.T) {
	family := "👨‍👩‍👧‍👦" // 7 code points
	for _, test := range []struct {
		text  string
		count int
		end   string
		want  string
	}{
		{"abc", 3, "…", "abc"},
		{"abcd", 3, "", "abc"},
		{"abcd", 3, "…", "ab…"},
		{"abcd", 0, "…", ""},
		{"abcd", 1, "[…]", "a"},
		{"", 3, "…", ""},
		{"e\u0301e\u0301", 3, "", "e\u0301"},
		{"a" + family + "b", 7, "", "a"},
		{"a" + family + "b", 8, "", "a" + family},
		{family, 6, "", "👨‍👩‍👧"},
		{family, 6, "…", "👨‍👩‍👧…"},
		{"H" + strings.Repeat("\u0335", 200) + "ello", 5, "…", "H\u0335\u0335\u0335…"},
		{"a" + "H" + strings.Repeat("\u0335", 200), 5, "…", "a…"},
		{"🇩🇪", 1, "", "🇩"},
		{"🇩🇪🇫🇷", 3, "", "🇩🇪"},
		{"a\r\nb", 2, "", "a"},
		{"日本語", 2, "", "日本"},
		{"a\xffb\xff", 3, "", "a\xffb"},
	} {
		if got := Text(test.text, test.count, test.end); got != test.want {
			t.Errorf("Text(%q, %d, %q) = %q, want %q", test.text, test.count, test.end, got, test.want)
		}
	}
}

func FuzzText(f *testing.F) {
	f.Add("App doesn't", uint16(3), "…")
	f.Add("👨‍👩‍👧‍👦e\u0301🇩🇪\r\n\xff", uint16(5), "")
	f.Fuzz(func(t *testing.T, s string, count uint16, end string) {
		got := Text(s, int(count), end)
		if utf8.RuneCountInString(got) > int(count) {
			t.Errorf("Text(%q, %d, %q) = %q is too long", s, count, end, got)
		}
		if got != s && !strings.HasPrefix(s, strings.TrimSuffix(got, end)) && !strings.HasPrefix(s, got) {
			t.Errorf("Text(%q, %d, %q) = %q is not its start", s, count, end, got)
		}
	})
}
