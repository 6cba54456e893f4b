package terminal_test

import (
	"testing"

	"fairbridge/pkg/terminal"
)

func TestPrintable(t *testing.T) {
	for in, want := range map[string]string{
		"a\tb\nc": "a b c", "\x1b[31mred\u202e": "[31mred", "\xff": "\uFFFD", "日本 é👍": "日本 é👍", "": "",
	} {
		if got := terminal.Printable(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func TestJSON(t *testing.T) {
	for in, want := range map[string]string{
		`{"a":"é日👍 "}`:                    `{"a":"é日👍 "}`,
		"\"\x7f \u0085 \u009b31m\"":       `"\u007f \u0085 \u009b31m"`,
		"\"\u202e \u2066 \ufeff \u00ad\"": `"\u202e \u2066 \ufeff \u00ad"`,
		"\"\U000e0001\U0010ffff\"":        `"\udb40\udc01\udbff\udfff"`,
		"\"👨\u200d👩 \u00a0\u3000\"":       "\"👨\u200d👩 \u00a0\u3000\"",
		"\"\ufffd\"":                      `"\ufffd"`,
		"{\n  \"a\": 1\n}\n":              "{\n  \"a\": 1\n}\n",
	} {
		if got := string(terminal.JSON([]byte(in))); got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
}

func TestShorten(t *testing.T) {
	for _, tc := range []struct{ in, want string }{
		{"", ""}, {"12345", "12345"}, {"123456", "1234…"}, {"漢字", "漢字"}, {"漢字漢", "漢字…"}, {"1漢字漢", "1漢…"},
		{"👨‍👩‍👧👨‍👩‍👧👨‍👩‍👧", "👨‍👩‍👧👨‍👩‍👧…"}, {"e\u0301e\u0301e\u0301e\u0301e\u0301e\u0301", "e\u0301e\u0301e\u0301e\u0301…"},
	} {
		if got := terminal.Shorten(tc.in, 5); got != tc.want {
			t.Errorf("%q became %q, want %q", tc.in, got, tc.want)
		}
	}
}

func TestCount(t *testing.T) {
	for want, got := range map[string]string{
		"0 letters": terminal.Count(0, "letter"), "1 letter": terminal.Count(1, "letter"),
		"1200 dead letters": terminal.Count(1200, "dead letter"), "2 deliveries": terminal.Count(2, "delivery"),
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestWrap(t *testing.T) {
	const text = "one two 漢字 four"
	for width, want := range map[int]string{0: "- one two 漢字 four\n", 9: "- one two\n  漢字\n  four\n", 3: "- one\n  two\n  漢字\n  four\n"} {
		if got := (terminal.Screen{Width: width}).Wrap("- ", text); got != want {
			t.Errorf("%d columns: %q, want %q", width, got, want)
		}
	}
}
