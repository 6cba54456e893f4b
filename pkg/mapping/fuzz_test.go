package mapping

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"fairbridge/pkg/testfairy"
)

// FuzzParse: whatever the file, there is a Config or there are Problems that
// can be shown; what the Config makes of an event is valid JSON.
func FuzzParse(f *testing.F) {
	shipped, err := os.ReadFile(filepath.Join("..", "..", "fairbridge.yaml"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(shipped)
	content, err := os.ReadFile(filepath.Join("testdata", "problems.txtar"))
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range fileStart.Split(string(content), -1) {
		f.Add([]byte(file))
	}
	f.Add([]byte(route(`      x: {choice: ["{{ .a }}"], split: ",", allowed: [1, b], synonyms: {c: b}, omit: [d], fallback: 1}`)))
	f.Add([]byte(route("      x: >-\n        {{ range .tags }}\n        {{ . | html }}{{ end }}")))
	in := input(f, feedback)
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse("x.yaml", data)
		if err != nil {
			checkProblems(t, err)
			return
		}
		checkMap(t, c, in)
	})
}

func checkProblems(t *testing.T, err error) {
	t.Helper()
	var problems Problems
	if !errors.As(err, &problems) || len(problems) == 0 {
		t.Fatalf("error %v, want Problems", err)
	}
	var b bytes.Buffer
	if err := problems.Render(&b); err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if p.Line < 1 || p.Column < 1 || p.Width < 1 || p.Message == "" || strings.Contains(p.Message, "template: template") {
			t.Errorf("problem %+v", p)
		}
	}
}

func checkMap(t *testing.T, c *Config, in Input) {
	t.Helper()
	req, err := c.Map(in)
	var fe *FieldError
	switch {
	case errors.Is(err, ErrNoRoute), errors.Is(err, ErrIgnored):
		return
	case err != nil && !errors.As(err, &fe):
		t.Fatalf("error %v, want a *FieldError", err)
	case err != nil:
		return
	}
	if !json.Valid(req.Body) || !utf8.Valid(req.Body) || len(req.Body) > maxBody+2 {
		t.Errorf("body %q", req.Body)
	}
	if req.Project == "" || req.Source == "" {
		t.Errorf("request %+v", req)
	}
	for _, a := range req.Attachments {
		if a.URL == "" || !utf8.ValidString(a.URL) {
			t.Errorf("attachment %+v", a)
		}
	}
}

// FuzzMap: whatever the template and the event, the request is valid JSON and
// nothing in it is Go's word for a missing value.
func FuzzMap(f *testing.F) {
	f.Add("{{ .text | firstLine | truncate 12 \"…\" }}", []byte(feedback))
	f.Add("\xff", []byte(`{"event":"\xff"}`))
	f.Add("{{ range $k, $v := . }}{{ $k }}{{ $v.a.b }}{{ end }}", []byte(feedback))
	f.Add("{{ with .nested }}{{ (index .list 1).x }}{{ else }}{{ break }}{{ end }}", []byte(feedback))
	f.Add("{{ $x := print .text }}{{ range .tags }}{{ $x = print $x $x }}{{ end }}{{ $x }}", []byte(feedback))
	f.Add("{{ and (eq .build 1) (lt .a .b) | not }}{{ len .c }}{{ json . }}", []byte(`{"event":"x","a":[[[{}]]],"b":-1e999}`))
	for _, function := range functions {
		f.Add(function.example, []byte(feedback))
	}
	f.Fuzz(func(t *testing.T, source string, payload []byte) {
		e, err := testfairy.Decode(payload)
		if err != nil {
			return
		}
		c, faults := compile(source)
		if len(faults) > 0 {
			for _, fault := range faults {
				if fault.offset < 0 || fault.offset > len(source) || fault.message == "" {
					t.Errorf("fault %+v", fault)
				}
			}
			return
		}
		config := &Config{Routes: []Route{{Project: "p", Source: "s", fields: []field{
			{name: source, value: value{items: []item{{template: c}}}},
			{name: "list", value: value{items: []item{{template: c}}, list: true, split: ","}},
		}}}}
		in := Input{Event: e}
		checkMap(t, config, in)
		out, err := c.run(newExecution(in))
		if err == nil && (!utf8.ValidString(out) || len(out) > 3*maxText) {
			t.Errorf("output %q", out)
		}
		if strings.Contains(out, "<no value>") && !strings.Contains(source+string(payload), "no value") {
			t.Errorf("output %q", out)
		}
	})
}

// Nested and repeated structures are where readers of YAML run away.
func TestParseIsBounded(t *testing.T) {
	laughs := "routes:\n  - match: {event: feedback}\n    project: a\n    source: b\n    fields: &f\n"
	for range 300 {
		laughs += "      x" + strings.Repeat("y", len(laughs)%97) + ": [a, b, c]\n"
	}
	laughs += strings.Repeat("  - {match: {event: feedback}, project: a, source: b, fields: *f}\n", 3000)
	for name, file := range map[string]string{
		"deep lists":    strings.Repeat("[", 20_000),
		"deep mappings": strings.Repeat("{a: ", 20_000),
		"deep blocks":   strings.Repeat("- ", 20_000) + "x",
		"aliases":       laughs,
		"large":         strings.Repeat("#", maxFile+1),
		"many problems": "routes:\n" + strings.Repeat("  - {matsch: 1}\n", 10_000),
		"self":          "routes: &r [*r, *r]",
		"alias chain":   "routes: [{match: {event: feedback}, project: &a x, source: *a, fields: &f {a: &v [*v]}}]",
		"many comments": "routes:\n" + strings.Repeat("# x\n", 100_000),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse("x.yaml", []byte(file))
			checkProblems(t, err)
			if n := len(err.(Problems)); n > maxProblems {
				t.Errorf("%d problems", n)
			}
		})
	}
}
