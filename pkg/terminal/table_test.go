package terminal_test

import (
	"strings"
	"testing"

	"fairbridge/pkg/terminal"
)

func TestWriteTable(t *testing.T) {
	columns := []terminal.Column{{Name: "ID"}, {Name: "APP", Most: 8, Least: 5, Spare: 1}, {Name: "N", Spare: 2}, {Name: "PROBLEM", Least: 9}}
	rows := [][]string{{"0123456789ab", "日本語アプリ", "", "Centercode answered 404 to POST /v1/projects/DEMO"}, {"ba9876543210", "", "17", "no"}}
	for width, want := range map[int]string{
		100: `ID            APP       N   PROBLEM
0123456789ab  日本…リ   -   Centercode answered 404 to POST /v1/projects/DEMO
ba9876543210  -         17  no
`,
		50: `ID            APP       N   PROBLEM
0123456789ab  日本…リ   -   Centercode …jects/DEMO
ba9876543210  -         17  no
`,
		33: `ID            APP       PROBLEM
0123456789ab  日本…リ   Cent…DEMO
ba9876543210  -         no
`,
		10: `ID            PROBLEM
0123456789ab  Cent…DEMO
ba9876543210  no
`,
		0: `ID            APP       N   PROBLEM
0123456789ab  日本…リ   -   Centercode answered 404 to POST /v1/projects/DEMO
ba9876543210  -         17  no
`,
	} {
		var out strings.Builder
		if err := (terminal.Screen{Width: width}).WriteTable(&out, columns, rows); err != nil {
			t.Fatal(err)
		}
		if out.String() != want {
			t.Errorf("%d columns: got\n%swant\n%s", width, out.String(), want)
		}
	}
	var out strings.Builder
	if err := (terminal.Screen{Width: 80, Colors: true}).WriteTable(&out, columns[:1], [][]string{{"x"}}); err != nil || out.String() != "\x1b[2mID\x1b[0m\nx\n" {
		t.Errorf("with colours: %q, %v", out.String(), err)
	}
}

func TestMiddle(t *testing.T) {
	for _, text := range []string{"", "abc", "abcdefghij", "日本語アプリ", "👩‍👩‍👧‍👦👩‍👩‍👧‍👦👩‍👩‍👧‍👦", "e\u0301e\u0301e\u0301e\u0301"} {
		for most := 1; most < 14; most++ {
			got := terminal.Middle(text, most)
			if width := terminal.Width(got); width > most || terminal.Width(text) <= most && got != text || got == "" && text != "" {
				t.Errorf("%q in %d columns is %q", text, most, got)
			}
		}
	}
	for most, want := range map[int]string{10: "abcdefghij", 9: "abcd…ghij", 4: "ab…j", 1: "…"} {
		if got := terminal.Middle("abcdefghij", most); got != want {
			t.Errorf("in %d columns: %q, want %q", most, got, want)
		}
	}
}

// TestScreenWithoutATerminal checks that only a terminal gets colours, unless NO_COLOR is
// set. A real terminal is tested in cmd/fairbridge.
func TestScreenWithoutATerminal(t *testing.T) {
	if s := terminal.ScreenOf(&strings.Builder{}); s.Colors || s.Width != 0 || s.Bad("x") != "x" {
		t.Errorf("%+v", s)
	}
	if s := (terminal.Screen{Colors: true}); s.Bad("x") != "\x1b[31mx\x1b[0m" || s.Bold("") != "" {
		t.Errorf("%q, %q", s.Bad("x"), s.Bold(""))
	}
}
