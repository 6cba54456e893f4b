package home

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"fairbridge/pkg/breaker"
	"fairbridge/pkg/embedded"
)

// TestHealthInWords checks that a transient condition is a note, and becomes a problem only
// once it has lasted.
func TestHealthInWords(t *testing.T) {
	now := time.Date(2026, 11, 28, 10, 2, 0, 0, time.UTC)
	open := breaker.State{
		Project: "DEMO", Since: now, UpdatedAt: now, NextTry: now.Add(40 * time.Second), Fault: &breaker.Fault{Status: 502},
	}
	refused := open
	refused.Fault = &breaker.Fault{Status: 401}
	paused := breaker.State{Pause: &breaker.Pause{Who: "ana", Why: "an upgrade", At: now, Until: now.Add(48 * time.Hour)}}
	const waiting = "1,240 feedbacks wait; nothing is lost while this lasts"
	for _, tc := range []struct {
		name    string
		state   breaker.State
		after   time.Duration
		note    string
		problem string
	}{
		{"well", breaker.State{Project: "DEMO"}, 0, "", ""},
		{"away", open, 0, "Centercode has not responded since 10:02 (502); the next probe is in 40s|" + waiting, ""},
		{"away for a quarter of an hour", open, 15 * time.Minute, waiting, "Centercode has not responded since 10:02 (502)"},
		{"the key", refused, time.Minute, waiting, "Centercode has rejected the API key since 10:02 (401): fairbridge secrets put centercode-api-key; the next probe is in 0s"},
		{"paused", paused, time.Hour, "everything has been paused by ana since 2026-11-28T10:02:00Z, until 2026-11-30T10:02:00Z (an upgrade)|" + waiting, ""},
		{"paused for a day", paused, 24 * time.Hour, waiting, "everything has been paused by ana"},
		{"the pause is over", paused, 48 * time.Hour, "", ""},
	} {
		s := &Status{Work: &QueueDepth{InWork: 1240}}
		h := &Home{Place: Place{Folder: DefaultFolder}}
		away := s.tellHealth(h, []breaker.State{tc.state}, now.Add(tc.after))
		notes, problems := strings.Join(s.Notes, "|"), strings.Join(s.Problems, "|")
		if !strings.HasPrefix(notes, tc.note) || tc.note == "" && notes != "" || !strings.HasPrefix(problems, tc.problem) || tc.problem == "" && problems != "" {
			t.Errorf("%s: notes %q, problems %q", tc.name, notes, problems)
		}
		if away != tc.state.Open() {
			t.Errorf("%s: away: %t", tc.name, away)
		}
	}
	// A global pause hides neither a project's own pause nor its failure.
	own := open
	own.Pause = paused.Pause
	s := &Status{}
	s.tellHealth(&Home{}, []breaker.State{paused, own}, now.Add(time.Minute))
	for i, want := range []string{"everything has been paused by ana", "project DEMO has been paused by ana",
		"Centercode has not responded since 10:02 (502); there is no probe before the pause ends", "what arrives waits; nothing is lost while this lasts"} {
		if len(s.Notes) != 4 || !strings.HasPrefix(s.Notes[i], want) {
			t.Errorf("want %q in %q", want, s.Notes)
		}
	}
	s = &Status{Work: &QueueDepth{InWork: 119_000}}
	if s.tellHealth(&Home{Place: Place{Stack: "prod"}}, nil, now); len(s.Notes) != 1 || !strings.Contains(s.Notes[0], "120,000") {
		t.Errorf("a queue that is full in flight: %q", s.Notes)
	}
}

// TestAStackIsPausedForATime checks that a stack cannot be paused forever: its messages
// expire.
func TestAStackIsPausedForATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, err := embedded.Open(t.Context(), embedded.Config{Folder: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		h := Folder(e)
		h.Stack = "prod"
		now := time.Now()
		week := breaker.LongestPause
		for _, tc := range []struct {
			at    time.Duration
			lasts time.Duration
			taken bool
		}{
			{0, 0, false},
			{0, week + time.Hour, false},
			{0, 24 * time.Hour, true},
			{12 * time.Hour, week, false}, // counted from the first start
			{12 * time.Hour, 6 * 24 * time.Hour, true},
		} {
			_, err := h.Pause(t.Context(), PauseRequest{Because: "x", For: tc.lasts}, now.Add(tc.at))
			if (err == nil) != tc.taken {
				t.Errorf("at %s for %s: %v", tc.at, tc.lasts, err)
			}
		}
	})
}
