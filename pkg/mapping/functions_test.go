package mapping

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestTruncate(t *testing.T) {
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
		{family, 6, "", ""},
		{"🇩🇪🇫🇷", 3, "", "🇩🇪"},
		{"a\r\nb", 2, "", "a"},
		{"日本語", 2, "", "日本"},
		{"a\xffb\xff", 3, "", "a\xffb"},
	} {
		if got := truncate(test.text, test.count, test.end); got != test.want {
			t.Errorf("truncate(%q, %d, %q) = %q, want %q", test.text, test.count, test.end, got, test.want)
		}
	}
}

func TestTextFunctions(t *testing.T) {
	for _, test := range []struct{ source, want string }{
		{`{{ firstLine "\r\n  \u2028 one\u0085two" }}`, "one"},
		{`{{ firstLine "" }}{{ firstLine "\n \n" }}`, ""},
		{`{{ replace "" "x" "abc" }}`, "abc"},
		{`{{ "  " | default "x" }}`, "x"},
		{`{{ .build | default "x" }}`, "1"},
		{`{{ join "," "alone" }}`, "alone"},
		{`{{ len .tags }} {{ len .nested }} {{ len "日本" }} {{ len .no }}`, "2 3 2 0"},
		{`[{{ index .tags 5 }}{{ index .tags -1 }}{{ index .tags "x" }}{{ index .text 0 }}{{ index .no "a" "b" }}]`, "[]"},
		{`{{ index .nested "list" 1 "x" }}`, "y"},
		{`{{ json .no }}{{ json .build }}`, `""1`},
		{`{{ humanBytes 0 }} {{ humanBytes 1023 }} {{ humanBytes 1024 }} {{ humanBytes 1048575 }} {{ humanBytes "1e12" }}`, "0 B 1023 B 1.0 KiB 1.0 MiB 931.3 GiB"},
		{`{{ humanBytes -1 }} {{ humanBytes "NaN" }} {{ humanBytes "x" }}{{ humanBytes "" }}`, "-1 NaN x"},
		{`{{ markdown "1. a\n# b\n  - c\n1) ` + "`d`" + `" }}`, "1\\. a\n\\# b\n  \\- c\n1\\) \\`d\\`"},
		{`{{ ne 1 "1" }} {{ le "1" "1.0" }} {{ ge "-1" "-2" }} {{ gt "a" "B" }}`, "false true true true"},
	} {
		if got, err := render(t, test.source, feedback); err != nil || got != test.want {
			t.Errorf("%s = %q, %v; want %q", test.source, got, err, test.want)
		}
	}
}

func TestDate(t *testing.T) {
	for _, test := range []struct{ source, want string }{
		{`{{ "2015-07-01 17:21:00" | date "RFC3339" }}`, "2015-07-01T17:21:00Z"},
		{`{{ "2015-07-01 17:21:00" | date "RFC3339" "America/New_York" }}`, "2015-07-01T17:21:00-04:00"},
		{`{{ "2015-12-31 23:30:00" | date "2006-01-02 15:04" "UTC" "Asia/Tokyo" }}`, "2016-01-01 08:30"},
		{`{{ "2015-07-01T17:21:00+02:00" | date "15:04" "Asia/Tokyo" "UTC" }}`, "15:21"},
		{`{{ 1435771260 | date "RFC3339" }} {{ "1435771260123" | date "RFC3339" }}`, "2015-07-01T17:21:00Z 2015-07-01T17:21:00Z"},
		{`{{ "2015-07-01" | date "Jan 2" }}`, "Jul 1"},
		{`{{ "yesterday " | date "RFC3339" }}|{{ "" | date "RFC3339" }}`, "yesterday |"},
		{`{{ .receivedAt | date "2006-01-02" }}`, "2026-03-04"},
	} {
		if got, err := render(t, test.source, feedback); err != nil || got != test.want {
			t.Errorf("%s = %q, %v; want %q", test.source, got, err, test.want)
		}
	}
}

func TestPathIDs(t *testing.T) {
	for _, test := range []struct{ url, want string }{
		{"https://app.testfairy.com/projects/10-demoapp/builds/584120/sessions/1", "10-demoapp 584120 1"},
		{" https://mobile.saucelabs.com/x/projects/1/builds/2 ", "1 2 "},
		{"https://a/projects/a%20b/builds/%2e%2e/sessions/a%2Fb", "a%20b  "},
		{"https://a/projects", "  "},
		{"https://a/projects//builds/", "  "},
		{"://", "  "},
		{"", "  "},
	} {
		got := strings.Join([]string{pathID("projects")(test.url), pathID("builds")(test.url), pathID("sessions")(test.url)}, " ")
		if got != test.want {
			t.Errorf("%s: %q, want %q", test.url, got, test.want)
		}
	}
}

func TestGlob(t *testing.T) {
	for _, test := range []struct {
		glob, text string
		want       bool
	}{
		{"a", "a", true}, {"a", "A", false}, {"a", "ab", false},
		{"*", "", true}, {"*", "x", true}, {"a*", "a", true}, {"a*", "ba", false},
		{"*a", "ba", true}, {"*a", "ab", false}, {"a*a", "a", false}, {"a*a", "aa", true},
		{"a*b*c", "a-b-b-c", true}, {"a*b*c", "a-c-b", false}, {"*b*", "abc", true},
		{"a**b", "ab", true}, {"what?", "what?", true}, {"a*b", "a*b", true},
	} {
		if got := glob(test.glob).matches(test.text); got != test.want {
			t.Errorf("%q matches %q: %t", test.glob, test.text, got)
		}
	}
}

func TestVersionRange(t *testing.T) {
	for _, test := range []struct {
		rule     string
		in, notI string // versions, parted by spaces
	}{
		{"1.0", "1.0 1 1.0.0 v1.0 1.0+7", "1.0.1 2 1.0-beta x"},
		{"=1.0", "1.0", "1.1"},
		{"!=1.0", "1.1 0.9", "1.0.0"},
		{">=2.1 <3", "2.1 2.10 2.9.9.9 3.0-beta", "2.0.9 3 3.0"},
		{">= 2.1, < 3", "2.1", "3"},
		{">2", "2.0.1", "2.0"},
		{"<=2", "2.0 1 2-rc.1", "2.0.1"},
		{"^2.1", "2.1 2.9", "2.0 3.0 3.0-alpha"},
		{"^0.2", "0.2 0.2.9", "0.3 1.0"},
		{"^0", "0.0 0.9", "1"},
		{"~2.1", "2.1 2.1.9", "2.2 2.0"},
		{"~2", "2.9", "3"},
		{"2.*", "2 2.9", "3 1.9"},
		{"2.1.x", "2.1 2.1.7", "2.2"},
		{"1.0 || >=2", "1.0 2 3", "1.1"},
		{"<2.0.0-beta.2", "2.0.0-alpha 2.0.0-beta 2.0.0-beta.1 1.9", "2.0.0-beta.2 2.0.0-beta.11 2.0.0-rc 2.0.0"},
		{"^9999999999999999999999", "9999999999999999999999.1", "10000000000000000000000"},
	} {
		r, err := parseRange(test.rule)
		if err != nil {
			t.Errorf("%q: %v", test.rule, err)
			continue
		}
		for _, v := range strings.Fields(test.in) {
			if !r.contains(v) {
				t.Errorf("%s is not in %q", v, test.rule)
			}
		}
		for _, v := range strings.Fields(test.notI) {
			if r.contains(v) {
				t.Errorf("%s is in %q", v, test.rule)
			}
		}
	}
	for _, bad := range []string{"", "||", "1 ||", "x", ">=", "=>1", "1..2", "1.0-", ">=2.x", "^^1"} {
		if _, err := parseRange(bad); err == nil {
			t.Errorf("%q is a range", bad)
		}
	}
}

func FuzzTruncate(f *testing.F) {
	f.Add("App doesn't", uint16(3), "…")
	f.Add("👨‍👩‍👧‍👦e\u0301🇩🇪\r\n\xff", uint16(5), "")
	f.Fuzz(func(t *testing.T, s string, count uint16, end string) {
		got := truncate(s, int(count), end)
		if utf8.RuneCountInString(got) > int(count) {
			t.Errorf("truncate(%q, %d, %q) = %q is too long", s, count, end, got)
		}
		if got != s && !strings.HasPrefix(s, strings.TrimSuffix(got, end)) && !strings.HasPrefix(s, got) {
			t.Errorf("truncate(%q, %d, %q) = %q is not its start", s, count, end, got)
		}
	})
}

func FuzzVersionRange(f *testing.F) {
	f.Add(">=2.1 <3 || ^0.2", "2.1.0-beta.1")
	f.Fuzz(func(t *testing.T, rule, v string) {
		if r, err := parseRange(rule); err == nil {
			r.contains(v)
		}
	})
}
