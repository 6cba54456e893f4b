package template

import (
	"strings"
	"testing"
)

func TestTextFunctions(t *testing.T) {
	for _, test := range []struct{ source, want string }{
		{`{{ firstLine "\r\n  \u2028 one\u0085two" }}`, "one"},
		{`{{ firstLine "" }}{{ firstLine "\n \n" }}`, ""},
		{`{{ replace "" "x" "abc" }}`, "abc"},
		{`{{ "  " | default "x" }}`, "x"},
		{`{{ .build | default "x" }}`, "1"},
		{`{{ .nested.list | default "x" | len }}{{ .nested.a | default "x" }}`, `3{"b":2.50}`},
		{`{{ index . "none" | default "x" }}{{ .empty.list | default "x" }}{{ .empty.object | default "x" }}`, "xxx"},
		{`[{{ range $name, $value := formFields }}{{ $name }},{{ end }}]`, "[Your role,nested,no,tags,yes,]"},
		{`{{ join "," "alone" }}`, "alone"},
		{`{{ len .tags }} {{ len .nested }} {{ len "日本" }} {{ len .no }}`, "2 3 2 0"},
		{`[{{ index .tags 5 }}{{ index .tags -1 }}{{ index .tags "x" }}{{ index .text 0 }}{{ index .no "a" "b" }}]`, "[]"},
		{`{{ index .nested "list" 1 "x" }}`, "y"},
		{`{{ json .no }}{{ json .build }}`, `""1`},
		{`{{ humanBytes 0 }} {{ humanBytes 1023 }} {{ humanBytes 1024 }} {{ humanBytes 1048575 }} {{ humanBytes "1e12" }}`, "0 B 1023 B 1.0 KiB 1024 KiB 931 GiB"},
		{`{{ humanBytes -1 }} {{ humanBytes "NaN" }} {{ humanBytes "x" }}{{ humanBytes "" }}`, "-1 NaN x"},
		{`{{ markdown "1. a\n# b\n  - c\n1) ` + "`d`" + `" }}`, "1\\. a\n\\# b\n  \\- c\n1\\) \\`d\\`"},
		{`{{ ne 1 "1" }} {{ le "1" "1.0" }} {{ ge "-1" "-2" }} {{ gt "a" "B" }}`, "false true true true"},
	} {
		if got, err := render(t, test.source, with(t, feedback, map[string]any{"empty": map[string]any{"list": []any{}, "object": map[string]any{}}})); err != nil || got != test.want {
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
		got := strings.Join([]string{PathID("projects")(test.url), PathID("builds")(test.url), PathID("sessions")(test.url)}, " ")
		if got != test.want {
			t.Errorf("%s: %q, want %q", test.url, got, test.want)
		}
	}
}
