package main

import (
	"bufio"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fairbridge/pkg/ingest"
)

// runHere runs the command in the repository's root and returns its exit code and output.
func runHere(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	t.Chdir(filepath.Join("..", ".."))
	var out, err strings.Builder
	code = execute(t.Context(), args, streams{in: strings.NewReader(""), out: &out, err: &err})
	return code, out.String(), err.String()
}

// TestCheckShipped checks that the shipped file has no findings for the shipped payloads.
func TestCheckShipped(t *testing.T) {
	code, out, stderr := runHere(t, "check", "--strict", "--payload", "events")
	if code != exitDone || stderr != "" || !strings.HasSuffix(out, "payloads: 10 tickets, 3 ignored\n") {
		t.Errorf("exit code %d\n%s%s", code, out, stderr)
	}
}

func TestCheckLargePayload(t *testing.T) {
	file := filepath.Join(t.TempDir(), "large.json")
	text := `{"event":"feedback","text":"` + strings.Repeat("x", ingest.MaxPayloadBytes) + `"}`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, _ := runHere(t, "check", "--payload", file)
	want := file + ": refused, HTTP 413 Request Entity Too Large\n\n  problem: larger than 1000000 bytes\n"
	if code != exitLeft || out != want {
		t.Errorf("exit code %d\n%q, want\n%q", code, out, want)
	}
}

// TestAskEnds checks that Ctrl-C ends the command even while a question is open.
func TestAskEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	in, _ := io.Pipe() // nothing is ever written to it
	var out strings.Builder
	answer, err := askText(ctx, &out, bufio.NewReader(in), "Well?", "yes")
	if answer != "" || err == nil || err.Error() != "nothing was written: context canceled" || out.String() != "Well? [yes]: \n" {
		t.Errorf("%q, %v, %q", answer, err, out.String())
	}
}
