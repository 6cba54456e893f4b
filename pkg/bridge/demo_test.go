package bridge_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fairbridge/pkg/bridge"
	"fairbridge/pkg/mapping"
	"fairbridge/pkg/worker"
)

// write writes a file to a temporary folder and returns its name.
func write(t *testing.T, name, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func demo(t *testing.T, yaml string, files ...string) []bridge.DemoResult {
	t.Helper()
	config, err := mapping.Load(write(t, "demo.yaml", yaml))
	if err != nil {
		t.Fatal(err)
	}
	results, err := bridge.Demo(t.Context(), config, files)
	if err != nil {
		t.Fatal(err)
	}
	return results
}

// TestDemoOfASession checks that session files from TestFairy's REST API are compared like
// any other file.
func TestDemoOfASession(t *testing.T) {
	files, err := filepath.Glob("../../events/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no payloads: %v", err)
	}
	results := demo(t, `testfairy: {user: you@example.com}
routes:
  - match: {event: feedback}
    project: DEMO
    source: testfairy
    fields: {summary: "{{ .text }}"}
    attachments: [{session: log, element: log}, {session: meta, element: meta}, {session: events, element: events}]
`, files...)
	if len(results) != len(files) {
		t.Errorf("%d results of %d payloads", len(results), len(files))
	}
	compared := 0
	for i, r := range results {
		if r.File != filepath.Base(files[i]) || r.Problem != "" || r.Outcome != worker.Created && r.Outcome != worker.Ignored {
			t.Errorf("got %+v", r)
		}
		for _, f := range r.Attachments {
			if !f.Same || f.Bytes == 0 {
				t.Errorf("%s: %+v", r.File, f)
			}
			compared++
		}
	}
	if compared < 3 {
		t.Errorf("only %d files were compared", compared)
	}
}

// TestDemoFails checks that an unexpected result is reported.
func TestDemoFails(t *testing.T) {
	for _, tc := range []struct{ name, payload, yaml, problem string }{
		{"no such payload", `not JSON`, ``, "not a payload"},
		{"not accepted", `{"event":"feedback","text":"` + strings.Repeat("\x00", 400_000) + `"}`, ``, "not accepted"},
		{"a dead letter", `{"event":"feedback","text":"a"}`, `, required: true`, "no ticket"},
		{"no file", `{"event":"feedback","text":"a","severity":"b","screenshotUrl":"https://files.example.net/a.png"}`, ``, "no ticket"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			results := demo(t, `routes:
  - match: {event: feedback}
    project: DEMO
    source: testfairy
    fields: {summary: {value: "{{ .severity }}"`+tc.yaml+`}}
    attachments: [{from: "{{ .screenshotUrl }}", element: screenshot}]
`, write(t, "payload.json", tc.payload))
			if len(results) != 1 || !strings.HasPrefix(results[0].Problem, tc.problem) {
				t.Errorf("got %+v", results)
			}
		})
	}
}
