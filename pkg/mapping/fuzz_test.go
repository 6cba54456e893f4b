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

	"fairbridge/pkg/mapping/internal/strictyaml"
	"fairbridge/pkg/mapping/internal/template"
	"fairbridge/pkg/testfairy"
)

// FuzzParse checks that every file yields either a Config or printable Problems, and that
// the Config maps every event to valid JSON.
func FuzzParse(f *testing.F) {
	shipped, err := os.ReadFile(filepath.Join("testdata", "shipped.yaml"))
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
		checkDocument(t, c, in)
		if other, err := c.WithBaseURL("https://other.example.com/x"); err != nil {
			t.Error(err)
		} else {
			checkDocument(t, other, in)
		}
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

// FuzzMap checks that every template and event yield a request of valid JSON.
func FuzzMap(f *testing.F) {
	f.Add("{{ .text | firstLine | truncate 12 \"…\" }}", []byte(feedback))
	f.Add("\xff", []byte(`{"event":"\xff"}`))
	f.Add("{{ range .tags }}{{ . }},{{ end }}", []byte(feedback))
	f.Fuzz(func(t *testing.T, source string, payload []byte) {
		e, err := testfairy.Decode(payload)
		if err != nil {
			return
		}
		c, faults := template.Compile(source)
		if len(faults) > 0 {
			return
		}
		x := expression{Template: c}
		config := &Config{Routes: []Route{{Project: "p", Source: "s", fields: []field{
			{name: source, value: value{items: []item{{template: x}}}},
			{name: "list", value: value{items: []item{{template: x}}, list: true, split: ","}},
		}}}}
		checkMap(t, config, Input{Event: e})
	})
}

// TestParseIsBounded: nested and repeated structures can exhaust YAML parsers.
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
		"large":         strings.Repeat("#", strictyaml.MaxFile+1),
		"many problems": "routes:\n" + strings.Repeat("  - {matsch: 1}\n", 10_000),
		"self":          "routes: &r [*r, *r]",
		"alias chain":   "routes: [{match: {event: feedback}, project: &a x, source: *a, fields: &f {a: &v [*v]}}]",
		"many comments": "routes:\n" + strings.Repeat("# x\n", 100_000),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse("x.yaml", []byte(file))
			checkProblems(t, err)
			if n := len(err.(Problems)); n > strictyaml.MaxProblems {
				t.Errorf("%d problems", n)
			}
		})
	}
}
