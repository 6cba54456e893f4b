package clip

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestBytes(t *testing.T) {
	for _, test := range []struct {
		text  string
		count int
		end   string
		want  string
	}{
		{"abc", 3, "…", "abc"},
		{"abcd", 3, "", "abc"},
		{"abcdef", 5, "…", "ab…"},
		{"abcd", 2, "…", "ab"},
		{"abcd", 0, "…", ""},
		{"abcd", -1, "", ""},
		{"日本語", 6, "", "日本"},
		{"日本語", 8, "", "日本"},
		{"日本語", 2, "", ""},
		{"ae\u0301e\u0301", 5, "", "ae\u0301"},
		{"e" + strings.Repeat("\u0301", 200), 6, "", "e\u0301\u0301"},
		{"e" + strings.Repeat("\u0301", 200), 8, "…", "e\u0301\u0301…"},
		{"🇩🇪🇫🇷", 12, "", "🇩🇪"},
	} {
		if got := Bytes(test.text, test.count, test.end); got != test.want {
			t.Errorf("Bytes(%q, %d, %q) = %q, want %q", test.text, test.count, test.end, got, test.want)
		}
	}
}

func FuzzBytes(f *testing.F) {
	f.Add("App doesn't", uint16(3), "…")
	f.Add("👨‍👩‍👧‍👦e\u0301🇩🇪\r\n", uint16(5), "")
	f.Fuzz(func(t *testing.T, s string, count uint16, end string) {
		got := Bytes(s, int(count), end)
		switch {
		case len(got) > int(count):
			t.Errorf("Bytes(%q, %d, %q) = %q is too long", s, count, end, got)
		case utf8.ValidString(s) && utf8.ValidString(end) && !utf8.ValidString(got):
			t.Errorf("Bytes(%q, %d, %q) = %q is cut within a rune", s, count, end, got)
		case got != s && !strings.HasPrefix(s, strings.TrimSuffix(got, end)) && !strings.HasPrefix(s, got):
			t.Errorf("Bytes(%q, %d, %q) = %q is not its start", s, count, end, got)
		}
	})
}
