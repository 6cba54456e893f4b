package main

import (
	"bytes"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"fairbridge/pkg/bridge"
	"fairbridge/pkg/worker"
)

func TestDemoOfTheSamplePayloads(t *testing.T) {
	t.Chdir("../..")
	var out, problems bytes.Buffer
	code := execute(t.Context(), []string{"demo", "--config", "pkg/mapping/testdata/shipped.yaml"}, streams{in: strings.NewReader(""), out: &out, err: &problems})
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

func TestWriteDemo(t *testing.T) {
	var out bytes.Buffer
	err := writeDemo(&out, []bridge.DemoResult{
		{File: "a.json", Status: 202, Outcome: worker.Created, TicketID: "1", Attachments: []bridge.DemoFile{{Element: "screenshot", Bytes: 9, Same: true}}},
		{File: "b.json", Status: 400, Problem: "not accepted"},
	})
	want := `PAYLOAD  HTTP             OUTCOME  TICKET  ATTACHMENTS
a.json   202 Accepted     created  1       screenshot 9 bytes, same SHA-256
b.json   400 Bad Request  -        -       WRONG: not accepted

1 of 2 payloads not as expected
`
	if out.String() != want || !errors.Is(err, errSaid) {
		t.Errorf("%v\n%s\nwant\n%s", err, out.String(), want)
	}
}
