package mapping

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"fairbridge/pkg/testfairy"
)

// TestDocumentedFields compares the table with TestFairy's documented payloads and with the
// reference.
func TestDocumentedFields(t *testing.T) {
	docs, err := os.ReadFile(docsFile)
	if err != nil {
		t.Fatal(err)
	}
	for kind, fields := range documented {
		all := map[string]any{}
		for _, folder := range []string{"", "new-platform"} {
			payload, err := os.ReadFile(filepath.Join("..", "..", "events", folder, string(kind)+".json"))
			if err != nil && folder == "" {
				t.Fatal(err)
			}
			if err == nil {
				maps.Copy(all, event(t, string(payload)).Fields)
			}
		}
		has := slices.Sorted(maps.Keys(all))
		if want := slices.Sorted(slices.Values(fields)); !slices.Equal(has, want) {
			t.Errorf("%s: the payloads have %q, the table %q", kind, has, want)
		}
		line := "- " + string(kind) + ": `" + strings.Join(fields[1:], "` `") + "`\n"
		if !strings.Contains(string(docs), line) {
			t.Errorf("the docs do not have\n%s", line)
		}
	}
	if len(documented) != len(eventKinds) {
		t.Errorf("%d kinds, want %d", len(documented), len(eventKinds))
	}
}

func TestUnknownFields(t *testing.T) {
	c := mustParse(t, route(`      x: "{{ .text }} {{ .textt }} {{ $.b.c }} {{ with .d }}{{ .e }}{{ $.f }}{{ end }}{{ .deliveryId }}"
      y: |
        é {{ range .tags }}{{ . }}{{ else }}{{ .txt }}{{ end }}
    attachments: [{from: "{{ print .build.id }}", element: g}]`))
	var got strings.Builder
	seen := map[testfairy.Kind][]string{testfairy.KindFeedback: {"text", "tags"}}
	if err := c.UnknownFields(seen).Render(&got); err != nil {
		t.Fatal(err)
	}
	want := `fairbridge.yaml:6:26: no known feedback event has the field "textt"
    6 |       x: "{{ .text }} {{ .textt }} {{ $.b.c }} {{ with .d }}{{ .e }}{{ $.f }}{{ end }}{{ .…
      |                          ^~~~~~
      = did you mean "text"?

fairbridge.yaml:6:40: no known feedback event has the field "b"
    6 |       x: "{{ .text }} {{ .textt }} {{ $.b.c }} {{ with .d }}{{ .e }}{{ $.f }}{{ end }}{{ .deliveryId…
      |                                        ^~

fairbridge.yaml:6:56: no known feedback event has the field "d"
    6 |       x: "{{ .text }} {{ .textt }} {{ $.b.c }} {{ with .d }}{{ .e }}{{ $.f }}{{ end }}{{ .deliveryId }}"
      |                                                        ^~

fairbridge.yaml:6:73: no known feedback event has the field "f"
    6 | ….text }} {{ .textt }} {{ $.b.c }} {{ with .d }}{{ .e }}{{ $.f }}{{ end }}{{ .deliveryId }}"
      |                                                             ^~

fairbridge.yaml:8:48: no known feedback event has the field "txt"
    8 |         é {{ range .tags }}{{ . }}{{ else }}{{ .txt }}{{ end }}
      |                                                ^~~~
      = did you mean "text"?
`
	if got.String() != want {
		t.Errorf("%s\nwant\n%s", got.String(), want)
	}
}

// TestUnknownFieldsByKind checks that which fields are unknown depends on the kinds that a
// template is run for, and on whether there are samples of them.
func TestUnknownFieldsByKind(t *testing.T) {
	c := mustParse(t, `
defaults: {project: A, source: b, fields: {all: "{{ .crashMessage }} {{ .testerEmail }} {{ .mood }}"}}
routes:
  - {match: {event: feedback, when: '{{ eq .sesionUrl "" }}'}, fields: {a: "{{ .crashMessage }} {{ .mood }}"}}
  - {match: {event: [feedback, crash]}, fields: {a: "{{ .crashMessage }} {{ .mood }} {{ .testerEmail }}"}}
  - {match: {event: upload}, ignore: true}
`)
	const always = `x:2:73: no known feedback or crash event has the field "testerEmail"; download events have it
x:4:44: no known feedback event has the field "sesionUrl"; did you mean "sessionUrl"?
x:4:80: no known feedback event has the field "crashMessage"; crash events have it
x:5:89: no known feedback or crash event has the field "testerEmail"; download events have it`
	for _, test := range []struct {
		name string
		seen map[testfairy.Kind][]string
		want []string // in addition to always
	}{
		{"no samples", nil, nil},
		{"of one kind", map[testfairy.Kind][]string{"feedback": {}}, []string{`x:4:100: no known feedback event has the field "mood"`}},
		{"of both", map[testfairy.Kind][]string{"feedback": {}, "crash": {}}, []string{
			`x:2:92: no known feedback or crash event has the field "mood"`,
			`x:4:100: no known feedback event has the field "mood"`,
			`x:5:77: no known feedback or crash event has the field "mood"`,
		}},
		{"that has it", map[testfairy.Kind][]string{"feedback": {"mood"}, "crash": {}}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			unknown := c.UnknownFields(test.seen)
			for i := range unknown {
				unknown[i].File = "x"
			}
			got := strings.Split(unknown.Error(), "\n")
			want := append(strings.Split(always, "\n"), test.want...)
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		})
	}
	byIndex := mustParse(t, route(`      x: '{{ index . "emial" }} {{ index $ "email" }} {{ with .text }}{{ index $ "Your rôle" | upper }}{{ index . "x" }}{{ end }}'`))
	want := `fairbridge.yaml:6:22: no known feedback event has the field "emial"; did you mean "email"?
fairbridge.yaml:6:82: no known feedback event has the field "Your rôle"`
	if got := byIndex.UnknownFields(map[testfairy.Kind][]string{"feedback": {"text"}}).Error(); got != want {
		t.Errorf("by index:\n%s\nwant\n%s", got, want)
	}
	never := mustParse(t, "defaults: {fields: {a: '{{ .mood }}'}}\nroutes: [{match: {event: feedback}, ignore: true}]")
	if unknown := never.UnknownFields(nil); len(unknown) > 0 {
		t.Errorf("of routes that ignore all: %v", unknown)
	}
}

func TestFileElements(t *testing.T) {
	c := mustParse(t, `defaults: {project: P, source: s, fields: {a: b}, attachments: [{from: "x", element: picture}]}
routes:
  - {match: {event: feedback}}
  - {match: {event: crash}, attachments: [{from: "x", element: log}, {from: "y", element: log}]}
`)
	if got := c.FileElements(); !slices.Equal(got, []string{"log", "picture"}) {
		t.Errorf("elements %v", got)
	}
}
