package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"fairbridge/pkg/terminal"
)

// TestConfirmationOnATerminal checks that a person is shown the letters and asked for
// confirmation, and that only a yes counts.
func TestConfirmationOnATerminal(t *testing.T) {
	for answer, want := range map[string]ran{
		"y\n":   {code: exitDone, out: "1 dead letter replayed\n"},
		"YES\n": {code: exitDone, out: "1 dead letter replayed\n"},
		"n\n":   {code: exitLeft, err: "fairbridge: nothing was replayed\n"},
		"\n":    {code: exitLeft, err: "fairbridge: nothing was replayed\n"},
		"yep\n": {code: exitLeft, err: "fairbridge: nothing was replayed\n"},
	} {
		h := newLetterHome(t, rejected(t, 1, ""))
		got := h.typed(answer, "replay", "--all")
		if got.code != want.code || !strings.HasPrefix(got.out, "AGE ") || !strings.HasSuffix(got.out, "1 dead letter: 1 rejected\n"+want.out) ||
			got.err != "Replay 1 dead letter? [y/N] "+want.err {
			t.Errorf("%q: %+v", answer, got)
		}
		if sent := len(h.replayed()); sent != 1-got.code {
			t.Errorf("%q: %d sent", answer, sent)
		}
	}
	h := newLetterHome(t, rejected(t, 1, ""))
	if got := h.typed("n\n", "drop", "--all", "--because", "enough"); got.code != exitLeft ||
		got.err != "Drop 1 dead letter for good? [y/N] fairbridge: nothing was dropped\n" {
		t.Errorf("%+v", got)
	}
	if got := h.typed("y\n", "drop", "--all", "--because", "enough"); got.code != exitDone || !strings.HasSuffix(got.out, "1 dead letter dropped\n") {
		t.Errorf("%+v", got)
	}
}

// typed runs a verb with a person at the terminal, who types an answer.
func (h *letterHome) typed(answer string, args ...string) ran {
	h.t.Helper()
	keyboard, pty := openTerminal(h.t)
	if _, err := keyboard.WriteString(answer); err != nil {
		h.t.Fatal(err)
	}
	var out, errOut bytes.Buffer
	args = append(append([]string{"dlq"}, args...), "--data", h.data)
	code := execute(h.t.Context(), args, streams{in: pty, out: &out, err: &errOut})
	return ran{code, out.String(), errOut.String()}
}

func TestAnInterruptEndsTheQuestion(t *testing.T) {
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	defer write.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out bytes.Buffer
	if yes, err := ask(ctx, streams{in: read, err: &out}, "Sure?"); yes || !errors.Is(err, context.Canceled) || out.String() != "Sure? [y/N] \n" {
		t.Errorf("%v, %v, %q", yes, err, out.String())
	}
}

// TestColors checks that only a terminal gets colours, unless NO_COLOR is set.
func TestColors(t *testing.T) {
	_, pty := openTerminal(t)
	t.Setenv("TERM", "xterm")
	for noColor, want := range map[string]bool{"": true, "1": false} {
		t.Setenv("NO_COLOR", noColor)
		if got := terminal.ScreenOf(pty).Colors; got != want {
			t.Errorf("NO_COLOR=%s: %v", noColor, got)
		}
	}
	t.Setenv("NO_COLOR", "")
	t.Setenv("TERM", "dumb")
	if terminal.ScreenOf(pty).Colors {
		t.Error("colours on a dumb terminal")
	}
}
