package template

import (
	"errors"
	"strings"
	"testing"
)

// render runs one template for the feedback payload.
func render(t testing.TB, source, payload string) (string, error) {
	t.Helper()
	c, faults := Compile(source)
	if len(faults) > 0 {
		t.Fatalf("compile %q: %+v", source, faults)
	}
	return c.Run(newExecution(t, payload))
}

func TestTemplates(t *testing.T) {
	for _, test := range []struct{ name, source, want string }{
		{"no action", "plain } {", "plain } {"},
		{"field", "{{ .text }}", "App doesn't render nicely in landscape"},
		{"number as it stood", "{{ .build }} {{ .nested.a.b }}", "1 2.50"},
		{"boolean", "{{ .yes }}", "true"},
		{"missing field", "[{{ .nothing }}]", "[]"},
		{"null field", "[{{ .no }}]", "[]"},
		{"below a missing field", "[{{ .nothing.at.all }}]", "[]"},
		{"below a text", "[{{ .text.more }}]", "[]"},
		{"below a list", "[{{ .tags.more }}]", "[]"},
		{"null inside", "[{{ .nested.null }}]", "[]"},
		{"from the top", "{{ with .nested }}{{ $.build }}{{ .a.b }}[{{ .missing }}]{{ end }}", "12.50[]"},
		{"with missing", "{{ with .nothing }}x{{ else }}none{{ end }}", "none"},
		{"range", "{{ range .tags }}<{{ . }}>{{ end }}", "<ui><landscape>"},
		{"range with null", "{{ range .nested.list }}<{{ . }}>{{ end }}", `<><{"x":"y"}><3>`},
		{"range fields of elements", "{{ range .nested.list }}<{{ .x }}>{{ end }}", "<><y><>"},
		{"range variables", "{{ range $i, $e := .nested.list }}{{ $i }}={{ $e }};{{ end }}", `0=;1={"x":"y"};2=3;`},
		{"range an object", "{{ range $k, $v := .nested.a }}{{ $k }}={{ $v }}{{ end }}", "b=2.50"},
		{"range a missing field", "{{ range .nothing }}x{{ else }}none{{ end }}", "none"},
		{"range a text", "{{ range .version }}<{{ . }}>{{ end }}", "<1.0>"},
		{"range break", "{{ range .tags }}{{ . }}{{ break }}{{ end }}", "ui"},
		{"variable", "{{ $x := .nothing }}[{{ $x }}]{{ $x = .build }}{{ $x }}{{ $x.y }}", "[]1"},
		{"chain", "{{ (index .nested.list 1).x }}", "y"},
		{"chain to nothing", "[{{ (index .nested.list 1).z.q }}]", "[]"},
		{"list as JSON", "{{ .tags }}", `["ui","landscape"]`},
		{"number in JSON", "{{ json .nested.a }}", `{"b":2.50}`},
		{"no HTML escapes", `{{ json "<&>" }}`, `"<&>"`},
		{"number equals number", `{{ eq .build 1 }}{{ eq .build "1" }}{{ eq .build "2" 1 }}`, "truetruetrue"},
		{"text is not a number", `{{ eq .version 1 }}`, "false"},
		{"compare versions as text", `{{ lt "1.10" "1.9" }} {{ lt "1.10.0" "1.9.0" }} {{ lt "b" "a" }}`, "true true false"},
		{"arguments with fields", `{{ print .version (upper .appName) $.build }}`, "1.0DEMO APP1"},
		{"zero is text", `{{ if "0" }}yes{{ end }}`, "yes"},
		{"delivery", "{{ .deliveryId }} {{ .receivedAt }}", "0123456789abcdef 2026-03-04T04:06:07Z"},
		{"broken bytes", `{{ "a\xffb" }}`, "a\uFFFDb"},
		{"comment", "{{/* nothing */}}x", "x"},
		{"trim markers", "a {{- .build -}} b", "a1b"},
		{"else if", "{{ if .no }}a{{ else if .yes }}b{{ end }}", "b"},
		{"and stops", "{{ and .no (match \"x\" .text) }}|{{ or .no .nothing .version }}", "|1.0"},
		{"the whole event", `{{ index . "Your role" }}`, "tester"},
		{"a literal", `{{ "x" }}{{ 1 }}{{ 1.5 }}{{ true }}{{ 'a' }}`, "x11.5true97"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := render(t, test.source, feedback)
			if err != nil || got != test.want {
				t.Errorf("%s = %q, %v; want %q", test.source, got, err, test.want)
			}
		})
	}
}

func TestFunctionExamples(t *testing.T) {
	for name, f := range functions {
		got, err := render(t, f.example, feedback)
		if err != nil || got != f.yields {
			t.Errorf("%s: %s = %q, %v; want %q", name, f.example, got, err, f.yields)
		}
	}
}

func TestTemplateFaults(t *testing.T) {
	for _, test := range []struct{ source, at, message string }{
		{"{{ .text | truncat 3 }}", "truncat", `unknown function "truncat"`},
		{"{{ text }}", "text", `unknown function "text"`},
		{"{{ field . }}", "field", `unknown function "field"`},
		{"{{ each . }}", "each", `unknown function "each"`},
		{"{{ printf \"%d\" 1 }}", "printf", `unknown function "printf"`},
		{"{{ call .x }}", "call", `unknown function "call"`},
		{"{{ .text | truncate }}", "truncate", "truncate takes 2 to 3 arguments, not 1"},
		{"{{ lower }}", "lower", "lower takes 1 argument, not 0"},
		{"{{ print }}", "print", "print takes at least 1 argument, not 0"},
		{"{{ truncate -1 .text }}", "-1", "truncate needs a whole number of characters here"},
		{`{{ truncate "x" .text }}`, `"x"`, "truncate needs a whole number of characters here"},
		{`{{ match "(" .text }}`, `"("`, "match got an invalid pattern: error parsing regexp: missing closing ): `(`"},
		{"{{ match .p .text }}", ".p", "the pattern must be written out in quotes"},
		{`{{ date "2006" "Mars/Base" .t }}`, `"Mars/Base"`, "date got an unknown time zone"},
		{`{{ date "2006" "UTC" "Local" .t }}`, `"Local"`, "date needs the name of a time zone, such as Europe/Berlin"},
		{"{{ .text 120 }}", ".text", ".text is not a function"},
		{"{{ .a | .b }}", ".b", ".b is not a function"},
		{"{{ default upper .x }}", "upper", "upper is a function and cannot be an argument without a call"},
		{`{{ define "x" }}{{ end }}`, "{{", "a template may not define others (x)"},
		{`{{ template "x" }}`, `"x"`, "a template may not call another"},
		{`{{ block "x" . }}{{ end }}`, "{{", "a template may not define others (x)"},
		{"a {{ .text", "{{", "bad template: unclosed action"},
		{"{{ if .x }}a", "{{", "bad template: unexpected EOF"},
		{"a\n{{ end }}", "{{", "bad template: unexpected {{end}}"},
		{"{{ $x }}", "$x", `bad template: undefined variable "$x"`},
		{"{{ }}", "{{", "bad template: missing value for command"},
		{"{{ .a }\n}", "}", `bad template: unexpected "}" in operand`},
		{"{{ nil }}", "nil", "nil is not a value that can be written out"},
		{`{{ "x" | 3 }}`, "{{", "bad template: non executable command in pipeline stage 2"},
		{strings.Repeat("x", maxTemplate+1), "", "the template is longer than 32768 bytes"},
	} {
		_, faults := Compile(test.source)
		if len(faults) == 0 {
			t.Errorf("%.60q: no fault", test.source)
			continue
		}
		f := faults[0]
		if f.Message != test.message || !strings.HasPrefix(test.source[f.Offset:], test.at) {
			t.Errorf("%.60q: %q at %q, want %q at %q", test.source, f.Message, test.source[f.Offset:], test.message, test.at)
		}
	}
}

// TestTemplateFaultsAllAtOnce checks that all faults are reported, not only the first.
func TestTemplateFaultsAllAtOnce(t *testing.T) {
	_, faults := Compile("{{ uper .a }} {{ lowr .b | trin }} {{ range .c }}{{ firstline . }}{{ end }}")
	if len(faults) != 4 {
		t.Errorf("%d faults, want 4: %+v", len(faults), faults)
	}
}

func TestTemplateBounds(t *testing.T) {
	long := with(t, feedback, map[string]any{"text": strings.Repeat("ab ", 200_000), "list": make([]int, 100_000)})
	nested := strings.Repeat("{{ range $.list }}", 5) + strings.Repeat("{{ end }}", 5)
	for name, test := range map[string]struct {
		source string
		want   error
	}{
		"output":           {"{{ .text }}{{ .text }}", errTooLong},
		"a function":       {"{{ print .text .text }}", errTooLong},
		"replace":          {`{{ replace "a" .text .text }}`, errTooLong},
		"join":             {"{{ join .text .list }}", errTooLong},
		"doubling":         {"{{ $x := .text }}" + strings.Repeat("{{ $x = print $x $x }}", 40), errTooLong},
		"many variables":   {strings.Repeat("{{ $x := html .text }}{{ $y := upper $x }}{{ $z := print $y }}", 20) + strings.Repeat("{{ $x := lower (upper (lower (upper .text))) }}", 300), errTooMuch},
		"ranges in ranges": {nested, errTooMuch},
		"empty ranges":     {"{{ range $.list }}{{ range $.list }}{{ end }}{{ end }}", errTooMuch},
		"patterns":         {"{{ range .list }}{{ match \"b+c\" $.text }}{{ end }}", errTooLong},
	} {
		t.Run(name, func(t *testing.T) {
			c, faults := Compile(test.source)
			if len(faults) > 0 {
				if name == "many variables" {
					return // rejected even earlier
				}
				t.Fatalf("%+v", faults)
			}
			_, err := c.Run(newExecution(t, long))
			if !errors.Is(err, test.want) && !errors.Is(err, errTooMuch) {
				t.Errorf("error %v, want %v", err, test.want)
			}
		})
	}
}

// TestTemplateErrorsShowNothingOfTheEvent: an error may be logged, so it must not quote the
// tester.
func TestTemplateErrorsShowNothingOfTheEvent(t *testing.T) {
	secret := with(t, feedback, map[string]any{"text": "s3cret", "n": "s3cret"})
	for _, source := range []string{
		"{{ truncate .n .text }}", `{{ date "2006" .n .text }}`, `{{ date "2006" "UTC" .n "2015-07-01" }}`,
	} {
		_, err := render(t, source, secret)
		if err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: error %v", source, err)
		}
	}
}
