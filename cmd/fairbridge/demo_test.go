package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
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
			t.Errorf("the table lacks %s:\n%s", f, out.String())
		}
	}
	if !strings.Contains(out.String(), "same SHA-256") {
		t.Errorf("no attachment was compared:\n%s", out.String())
	}
}
