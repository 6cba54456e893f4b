// Package breaker is a circuit breaker for each Centercode project, shared by all workers:
// it detects that Centercode is failing, and holds deliveries until it has recovered.
//
// Each worker process counts failures for itself. What the workers share is one record a
// project in the ledger's store. It is written only when a project opens, is tried, closes,
// is paused, or has asked for time with Retry-After. The rules are pure functions on
// [State]; [Breaker] reads and writes it.
//
// See https://learn.microsoft.com/azure/architecture/patterns/circuit-breaker for the
// pattern.
package breaker

import (
	"fmt"
	"time"

	"fairbridge/pkg/internal/retryafter"
)

// All stands for every project: pausing it holds them all.
const All = ""

const (
	// turn is how long a worker that tries an open project keeps others from trying it. It
	// covers a probe, a ticket, and clocks that differ by a minute.
	turn = 2 * time.Minute
	// skew is how far a time written by another worker may be off without a clock having
	// been set back.
	skew = 2 * time.Minute
	// LongestPause is the longest time from the first pause of a stack until it must be
	// resumed: SQS does not keep messages for ever.
	LongestPause = 7 * 24 * time.Hour
)

// The delays before an open project is tried again; the last one repeats. A probe changes
// nothing at Centercode. A delivery that goes first may become a dead letter if its answer
// is lost, so those delays are longer.
var (
	afterProbe  = []time.Duration{5 * time.Second, 15 * time.Second, 30 * time.Second, time.Minute}
	afterFailed = []time.Duration{time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute, 15 * time.Minute}
	afterLost   = []time.Duration{15 * time.Minute, time.Hour, 4 * time.Hour}
)

// step returns the n-th delay of a schedule, counted from 0.
func step(schedule []time.Duration, n int) time.Duration {
	return schedule[min(max(n, 0), len(schedule)-1)]
}

// State is what the workers share about one project.
type State struct {
	Project string `json:"project"`
	// Since is when the breaker opened; zero while it is closed.
	Since time.Time `json:"since,omitzero"`
	// Fault is the last failure.
	Fault *Fault `json:"fault,omitempty"`
	// NextTry is the earliest time of the next trial.
	NextTry time.Time `json:"nextTry,omitzero"`
	// Owner is the worker whose turn it is to try the project, until TurnEnds.
	Owner    string    `json:"owner,omitempty"`
	TurnEnds time.Time `json:"turnEnds,omitzero"`
	// Counts since the breaker was last closed: Probes is the failed probes, Failed the
	// deliveries that went first and failed, Lost the lost answers that no look-up can
	// resolve. Lost also counts while the breaker is closed: the second in a row opens it.
	Probes int `json:"probes,omitempty"`
	Failed int `json:"failed,omitempty"`
	Lost   int `json:"lost,omitempty"`
	// Asked is the time until which Centercode has asked to be left alone, with
	// Retry-After.
	Asked time.Time `json:"asked,omitzero"`
	// Pause is set while a person holds the project.
	Pause *Pause `json:"pause,omitempty"`
	// Projects is kept in the record of [All] only: the projects that have a record of
	// their own.
	Projects []string `json:"projects,omitempty"`
	// UpdatedAt is the time of the last write, by the writer's clock.
	UpdatedAt time.Time `json:"updatedAt"`
}

// Fault is a failure of Centercode: an answer that counts as one, or none at all.
type Fault struct {
	// Status is the HTTP status, 0 if there was no answer.
	Status int `json:"status,omitempty"`
	// Text describes the failure. It contains no secret.
	Text string `json:"text,omitempty"`
	// RetryAfter is the delay that the answer asked for.
	RetryAfter time.Duration `json:"-"`
	// Lost is set if the request may have been carried out, LookUp if a look-up can find
	// out whether it was.
	Lost   bool `json:"-"`
	LookUp bool `json:"-"`
}

// KeyRefused reports whether Centercode rejected the API key.
func (f *Fault) KeyRefused() bool { return f != nil && (f.Status == 401 || f.Status == 403) }

// String returns the status, or that there was no answer.
func (f *Fault) String() string {
	if f == nil || f.Status == 0 {
		return "no answer"
	}
	return fmt.Sprint(f.Status)
}

// Pause is a person's request to hold a project.
type Pause struct {
	Who string    `json:"who,omitempty"`
	Why string    `json:"why"`
	At  time.Time `json:"at"`
	// Until is when the pause ends; zero if it has no end.
	Until time.Time `json:"until,omitzero"`
}

// Open reports whether the breaker is open.
func (s State) Open() bool { return !s.Since.IsZero() }

// Paused reports whether a person holds the project.
func (s State) Paused(now time.Time) bool {
	return s.Pause != nil && (s.Pause.Until.IsZero() || now.Before(s.Pause.Until))
}

// ahead returns how far t, which was written at set, lies after now. A t that is further
// ahead than it was when written, beyond the usual clock skew, comes from before a clock
// was set back; ahead returns 0 for it.
func ahead(t, set, now time.Time) time.Duration {
	left := t.Sub(now)
	if left > t.Sub(set)+skew {
		return 0
	}
	return max(left, 0)
}

// AskedFor returns how much longer Centercode has asked to be left alone.
func (s State) AskedFor(now time.Time) time.Duration { return ahead(s.Asked, s.UpdatedAt, now) }

// TryIn returns how long it takes until an open project may be tried, by the first worker
// to come once nobody holds the turn.
func (s State) TryIn(now time.Time) time.Duration {
	in := max(ahead(s.NextTry, s.UpdatedAt, now), s.AskedFor(now))
	if s.Owner != "" {
		in = max(in, ahead(s.TurnEnds, s.UpdatedAt, now))
	}
	return in
}

// AsOpened returns the state after the project was found to be failing; ok is false if it
// is open already.
func (s State) AsOpened(f Fault, now time.Time) (_ State, ok bool) {
	if s.Open() {
		return s, false
	}
	s.Since, s.Probes, s.Failed = now, 0, 0
	return s.waiting(f, step(afterProbe, 0), now), true
}

// AsTaken returns the state after owner has taken the turn; ok is false if another worker
// has it, or if a trial is too early or not needed.
func (s State) AsTaken(owner string, now time.Time) (_ State, ok bool) {
	if !s.Open() || s.Paused(now) || s.TryIn(now) > 0 {
		return s, false
	}
	s.Owner, s.TurnEnds = owner, now.Add(turn)
	return s, true
}

// AsUnwell returns the state after owner's probe has failed; ok is false if owner has lost
// the turn.
func (s State) AsUnwell(owner string, f Fault, now time.Time) (_ State, ok bool) {
	if !s.Open() || s.Owner != owner {
		return s, false
	}
	s.Probes++
	return s.waiting(f, step(afterProbe, s.Probes), now), true
}

// AsFailed returns the state after the delivery that went first in owner's turn has failed.
func (s State) AsFailed(owner string, f Fault, now time.Time) (_ State, ok bool) {
	if !s.Open() || s.Owner != owner {
		return s, false
	}
	// From here on there is at most one probe a minute, with a delivery or without.
	s.Probes = len(afterProbe) - 1
	if f.Lost && !f.LookUp {
		s.Lost++
		return s.waiting(f, step(afterLost, s.Lost-1), now), true
	}
	if f.KeyRefused() {
		// A refused key did nothing, and whoever corrects it is waiting for the result.
		return s.waiting(f, step(afterProbe, s.Probes), now), true
	}
	s.Failed++
	return s.waiting(f, step(afterFailed, s.Failed-1), now), true
}

// AsReturned returns the state after owner's turn ended without an answer to a ticket or
// file; the next trial follows soon.
func (s State) AsReturned(owner string, now time.Time) (_ State, ok bool) {
	if !s.Open() || s.Owner != owner {
		return s, false
	}
	s.Owner, s.TurnEnds = "", time.Time{}
	s.NextTry = now.Add(step(afterProbe, s.Probes))
	return s, true
}

// AsDoubted returns the state after an answer was lost although the probe succeeded; ok is
// false if the breaker is open.
func (s State) AsDoubted(f Fault, now time.Time) (_ State, ok bool) {
	if s.Open() {
		return s, false
	}
	if s.Lost++; s.Lost < 2 {
		return s, true
	}
	s, ok = s.AsOpened(f, now)
	s.Lost = 0 // from now on it counts the deliveries that go first
	return s, ok
}

// AsClosed returns the state after the project has recovered; ok is false if it is closed
// already.
func (s State) AsClosed() (_ State, ok bool) {
	if !s.Open() && s.Lost == 0 {
		return s, false
	}
	return State{Project: s.Project, Asked: s.Asked, Pause: s.Pause}, true
}

// AsAsked returns the state after Centercode asked for time; ok is false if that much time
// is granted already.
func (s State) AsAsked(wait time.Duration, now time.Time) (_ State, ok bool) {
	wait = min(wait, retryafter.Most)
	if wait <= 0 || s.AskedFor(now) >= wait-time.Second {
		return s, false
	}
	s.Asked = now.Add(wait)
	return s, true
}

// AsPaused returns the state after a person has paused the project. Extending a pause keeps
// its start.
func (s State) AsPaused(p Pause, now time.Time) State {
	if s.Paused(now) {
		p.At = s.Pause.At
	}
	s.Pause = &p
	return s
}

// AsResumed returns the state after a person has ended the pause. An open project is tried
// at once, whoever holds the turn, since that may be a worker that died. ok is false if
// there is nothing to end.
func (s State) AsResumed(now time.Time) (_ State, ok bool) {
	if s.Pause == nil && !s.Open() && s.Asked.IsZero() {
		return s, false
	}
	s.Pause, s.Asked = nil, time.Time{}
	if s.Open() {
		s.NextTry, s.Owner, s.TurnEnds = now, "", time.Time{}
	}
	return s, true
}

// waiting ends the current turn and sets the time of the next one.
func (s State) waiting(f Fault, after time.Duration, now time.Time) State {
	s.Owner, s.TurnEnds = "", time.Time{}
	s.Fault, s.NextTry = &f, now.Add(after)
	if asked, ok := s.AsAsked(f.RetryAfter, now); ok {
		s = asked
	}
	return s
}
