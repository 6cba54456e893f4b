package breaker

import (
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

// must returns a function that fails the test unless a transition succeeded, and dates the
// state by the clock.
func must(t *testing.T, now *time.Time) func(State, bool) State {
	return func(s State, ok bool) State {
		t.Helper()
		if !ok {
			t.Fatalf("no transition from %+v", s)
		}
		s.UpdatedAt = *now
		return s
	}
}

// TestSchedules runs through an outage in which first the probes fail, and then they
// succeed and deliveries fail.
func TestSchedules(t *testing.T) {
	now := noon
	m := must(t, &now)
	s := m(State{Project: "P"}.AsOpened(Fault{Status: 503}, now))
	for i, want := range []time.Duration{5, 15, 30, 60, 60} {
		if got := s.TryIn(now); got != want*time.Second {
			t.Fatalf("probe %d is due after %s, want %d s", i+1, got, want)
		}
		if _, ok := s.AsTaken("early", now.Add(want*time.Second-1)); ok {
			t.Fatalf("probe %d is too early", i+1)
		}
		now = now.Add(want * time.Second)
		s = m(s.AsTaken("one", now))
		if _, ok := s.AsTaken("two", now.Add(turn-1)); ok {
			t.Fatal("two workers have the turn")
		}
		s = m(s.AsUnwell("one", Fault{Status: 503}, now))
	}
	for _, tc := range []struct {
		name string
		f    Fault
		want []time.Duration
	}{
		{"did nothing", Fault{Status: 503}, []time.Duration{1, 2, 4, 8, 15, 15}},
		{"lost", Fault{Status: 502, Lost: true}, []time.Duration{15, 60, 240, 240}},
		{"key refused", Fault{Status: 401}, []time.Duration{1, 1, 1, 1, 1, 1}},
	} {
		s := s
		for i, want := range tc.want {
			now = now.Add(s.TryIn(now))
			s = m(s.AsTaken("one", now))
			s = m(s.AsFailed("one", tc.f, now))
			if got := s.TryIn(now); got != want*time.Minute {
				t.Fatalf("%s: after failure %d the next try is due after %s, want %d min", tc.name, i+1, got, want)
			}
		}
		s = m(s.AsClosed())
		if s.Open() || s.Failed+s.Lost+s.Probes > 0 {
			t.Fatalf("%s: closed as %+v", tc.name, s)
		}
	}
}

func TestTurnsOfOthersAreLeftAlone(t *testing.T) {
	m := must(t, &noon)
	s := m(State{}.AsOpened(Fault{}, noon))
	s = m(s.AsTaken("one", noon.Add(time.Minute)))
	for name, do := range map[string]func() (State, bool){
		"unwell":   func() (State, bool) { return s.AsUnwell("two", Fault{}, noon) },
		"failed":   func() (State, bool) { return s.AsFailed("two", Fault{}, noon) },
		"returned": func() (State, bool) { return s.AsReturned("two", noon) },
		"opened":   func() (State, bool) { return s.AsOpened(Fault{}, noon) },
		"doubted":  func() (State, bool) { return s.AsDoubted(Fault{}, noon) },
	} {
		if next, ok := do(); ok || next.Owner != "one" {
			t.Errorf("%s: %+v", name, next)
		}
	}
	// The turn of a dead worker expires.
	if _, ok := s.AsTaken("two", noon.Add(time.Minute+turn)); !ok {
		t.Error("the turn of a dead worker never expires")
	}
}

// TestAClockThatIsSetBack checks that no delivery waits longer than intended.
func TestAClockThatIsSetBack(t *testing.T) {
	m := must(t, &noon)
	s := m(State{}.AsOpened(Fault{RetryAfter: time.Hour}, noon))
	if got := s.TryIn(noon); got != time.Hour {
		t.Fatalf("Retry-After of an hour: waits for %s", got)
	}
	if got := s.TryIn(noon.Add(-time.Minute)); got != time.Hour+time.Minute {
		t.Errorf("a clock that is a minute behind: %s", got)
	}
	if got := s.TryIn(noon.Add(-24 * time.Hour)); got != 0 {
		t.Errorf("a clock that was set back by a day waits for %s", got)
	}
}

func TestRetryAfterIsTheProjects(t *testing.T) {
	m := must(t, &noon)
	s := m(State{}.AsAsked(30*time.Second, noon))
	hold, held := s.hold(State{}, noon)
	if !held || hold.For != 30*time.Second {
		t.Fatalf("%+v, %t", hold, held)
	}
	for range 100 {
		if wait := hold.Wait(noon, 1); wait < 30*time.Second || wait > 40*time.Second {
			t.Fatalf("waits %s", wait)
		}
	}
	if _, ok := s.AsAsked(20*time.Second, noon); ok {
		t.Error("a shorter wait than the granted one is written")
	}
	if s := m(s.AsAsked(48*time.Hour, noon)); !s.Asked.Equal(noon.Add(time.Hour)) {
		t.Errorf("two days are granted: %s", s.Asked)
	}
	if _, held := s.hold(State{}, noon.Add(30*time.Second)); held {
		t.Error("held for longer than requested")
	}
}

func TestPause(t *testing.T) {
	m := must(t, &noon)
	first := State{Project: "P"}.AsPaused(Pause{Who: "ana", Why: "maintenance", At: noon, Until: noon.Add(2 * time.Hour)}, noon)
	if hold, held := first.hold(State{}, noon); !held || hold.Why != "paused by ana: maintenance" || hold.For != 2*time.Hour {
		t.Errorf("%+v, %t", hold, held)
	}
	if _, held := first.hold(State{}, noon.Add(2*time.Hour)); held {
		t.Error("a pause outlives its end")
	}
	again := first.AsPaused(Pause{Why: "still", At: noon.Add(time.Hour)}, noon.Add(time.Hour))
	if !again.Pause.At.Equal(noon) {
		t.Errorf("a renewed pause began at %s", again.Pause.At)
	}
	if _, held := (State{Project: "Q"}).hold(again, noon); !held {
		t.Error("a pause of all does not hold Q")
	}
	if s := m(again.AsResumed(noon)); s.Paused(noon) {
		t.Error("still paused after resume")
	}
	open := m(State{}.AsOpened(Fault{Lost: true}, noon)).AsPaused(Pause{Why: "x"}, noon)
	if _, ok := open.AsTaken("one", noon.Add(time.Hour)); ok {
		t.Error("a delivery of a paused project is let through")
	}
	if s := m(open.AsResumed(noon)); !s.Open() || s.TryIn(noon) != 0 {
		t.Error("resume does not try at once")
	}
	taken := m(m(State{}.AsOpened(Fault{Status: 503}, noon.Add(-time.Hour))).AsTaken("one that died", noon))
	if s := m(taken.AsResumed(noon)); s.TryIn(noon) != 0 {
		t.Error("resume waits for the turn's owner")
	}
	if _, ok := (State{}).AsResumed(noon); ok {
		t.Error("resumed a state that was neither open nor paused")
	}
}

// TestHolds checks that each wait is in the upper quarter of its bound, which is a quarter
// of the outage so far.
func TestHolds(t *testing.T) {
	for _, tc := range []struct {
		outage   time.Duration
		receives int
		bound    time.Duration
	}{
		{0, 1, 5 * time.Second},
		{20 * time.Second, 2, 5 * time.Second},
		{4 * time.Minute, 3, time.Minute},
		{time.Hour, 9, 15 * time.Minute},
		{72 * time.Hour, 449, 15 * time.Minute},
		{72 * time.Hour, 450, 45 * time.Minute},
		{-time.Hour, 1, 5 * time.Second},
	} {
		h := Hold{Since: noon}
		for range 200 {
			if got := h.Wait(noon.Add(tc.outage), tc.receives); got <= tc.bound*3/4 || got > tc.bound {
				t.Fatalf("after %s, receive %d: %s, want in the upper quarter of %s", tc.outage, tc.receives, got, tc.bound)
			}
		}
	}
}

// TestDoubt checks the state between closed and open: with little traffic no process sees
// five failures in a row, and probes can succeed while tickets fail.
func TestDoubt(t *testing.T) {
	m := must(t, &noon)
	s := m(State{}.AsDoubted(Fault{Status: 502, Lost: true}, noon))
	if s.Open() {
		t.Fatal("one lost answer opens the breaker")
	}
	if again := m(s.AsClosed()); again.Lost != 0 {
		t.Error("a ticket does not clear the lost answer")
	}
	if s = m(s.AsDoubted(Fault{Status: 502, Lost: true}, noon)); !s.Open() || s.Lost != 0 {
		t.Errorf("the second in a row leaves %+v", s)
	}
}
