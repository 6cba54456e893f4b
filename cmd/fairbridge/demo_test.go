package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestDemoOfTheSamplePayloads(t *testing.T) {
	t.Chdir("../..")
	var out, problems bytes.Buffer
	code := execute(t.Context(), []string{"demo"}, streams{in: strings.NewReader(""), out: &out, err: &problems})
	if code != exitDone {
		t.Errorf("exit code %d: %s%s", code, out.String(), problems.String())
	}
	files, err := filepath.Glob("events/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no payloads: %v", err)
	}
	for _, f := range files {
		if !strings.Contains(out.String(), filepath.Base(f)) {
			t.Errorf("the table does not have %s:\n%s", f, out.String())
		}
	}
	if !strings.Contains(out.String(), "same SHA-256") {
		t.Errorf("no attachment was compared:\n%s", out.String())
	}
}

// What TestFairy's REST API has of a session is compared like any other file.
func TestDemoOfASession(t *testing.T) {
	config := filepath.Join(t.TempDir(), "demo.yaml")
	if err := os.WriteFile(config, []byte(`testfairy: {user: you@example.com}
routes:
  - match: {event: feedback}
    project: DEMO
    source: testfairy
    fields: {summary: "{{ .text }}"}
    attachments: [{session: log, element: log}, {session: meta, element: meta}, {session: events, element: events}]
`), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, problems bytes.Buffer
	code := execute(t.Context(), []string{"demo", "--config", config, "--events", "../../events"}, streams{in: strings.NewReader(""), out: &out, err: &problems})
	if code != exitDone || !strings.Contains(out.String(), "; events 126 bytes, same SHA-256") {
		t.Errorf("exit code %d: %s%s", code, out.String(), problems.String())
	}
}

// A demo in which something is not as it must be fails, and says what.
func TestDemoThatGoesWrong(t *testing.T) {
	for _, tc := range []struct{ name, payload, yaml, says string }{
		{"no such payload", `not JSON`, ``, "not a payload"},
		{"not accepted", `{"event":"feedback"}`, ``, "not accepted"},
		{"a dead letter", `{"event":"feedback","text":"a"}`, `, required: true`, "no ticket"},
		{"no file", `{"event":"feedback","text":"a","severity":"b","screenshotUrl":"https://app.testfairy.com/a.bmp"}`, ``, "no ticket"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			write := func(name, text string) {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			write("payload.json", tc.payload)
			write("demo.yaml", `routes:
  - match: {event: feedback}
    project: DEMO
    source: testfairy
    fields: {summary: {value: "{{ .severity }}"`+tc.yaml+`}}
    attachments: [{from: "{{ .screenshotUrl }}", element: screenshot}]
`)
			var out, problems bytes.Buffer
			code := execute(t.Context(), []string{"demo", "--config", filepath.Join(dir, "demo.yaml"), "--events", dir},
				streams{in: strings.NewReader(""), out: &out, err: &problems})
			if code != exitLeft || !strings.Contains(out.String(), "WRONG: "+tc.says) {
				t.Errorf("exit code %d:\n%s%s", code, out.String(), problems.String())
			}
		})
	}
}

func TestWriteDemo(t *testing.T) {
	var out bytes.Buffer
	err := writeDemo(&out, []demoRow{
		{file: "a.json", answer: "202 Accepted", outcome: "created", ticket: "1", attachments: []string{"screenshot 9 bytes, same SHA-256"}},
		{file: "b.json", answer: "400 Bad Request", problem: "not accepted"},
	})
	want := `PAYLOAD  HTTP             OUTCOME  TICKET  ATTACHMENTS
a.json   202 Accepted     created  1       screenshot 9 bytes, same SHA-256
b.json   400 Bad Request  -        -       WRONG: not accepted

1 of 2 payloads not as it must be
`
	if out.String() != want || !errors.Is(err, errSaid) {
		t.Errorf("%v\n%s\nwant\n%s", err, out.String(), want)
	}
}
