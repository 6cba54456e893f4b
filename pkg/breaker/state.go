// Package breaker asks whether Centercode is well, and holds deliveries while it
// is not: a circuit breaker a Centercode project, shared by all workers.
//
// Each worker process counts failures for itself. What is shared is one record a
// project in the ledger's store, written only where a project opens, is tried,
// closes, is paused, or has asked for time. The rules are pure functions on
// [State]; [Breaker] reads and writes it.
package breaker

import (
	"fmt"
	"time"

	"fairbridge/pkg/internal/retryafter"
)

// All stands for every project: a pause of it holds them all.
const All = ""

const (
	// turn is how long a worker that tries a project keeps others from it. It
	// covers a probe and a ticket, and clocks that differ by a minute.
	turn = 2 * time.Minute
	// skew is how far a time that another worker wrote may be off without its
	// clock, or ours, having been set.
	skew = 2 * time.Minute
	// LongestPause is how long a stack can be paused, from the first start
	// without a resume: its messages do not live for ever.
	LongestPause = 7 * 24 * time.Hour
)

// How long after what a project that is not well is tried again. The last of
// each stands for all that follow. A probe changes nothing at Centercode; a
// delivery that goes first may become a dead letter if its answer is lost.
var (
	afterProbe  = []time.Duration{5 * time.Second, 15 * time.Second, 30 * time.Second, time.Minute}
	afterFailed = []time.Duration{time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute, 15 * time.Minute}
	afterLost   = []time.Duration{15 * time.Minute, time.Hour, 4 * time.Hour}
)

// step is the n-th wait of a schedule, from 0.
func step(schedule []time.Duration, n int) time.Duration {
	return schedule[min(max(n, 0), len(schedule)-1)]
}

// State is what the workers share about one project.
type State struct {
	Project string `json:"project"`
	// Since is when it was found not to be well; zero while it is.
	Since time.Time `json:"since,omitzero"`
	// Fault is what was wrong last.
	Fault *Fault `json:"fault,omitempty"`
	// NextTry is when it may be tried again.
	NextTry time.Time `json:"nextTry,omitzero"`
	// Owner has the turn to try it, until TurnEnds.
	Owner    string    `json:"owner,omitempty"`
	TurnEnds time.Time `json:"turnEnds,omitzero"`
	// Probes, Failed and Lost count, since it was well last, the probes that were
	// not well, the deliveries that went first and failed, and the answers that
	// were lost where nobody can look the ticket up. Lost also counts while it is
	// well: the second in a row opens it.
	Probes int `json:"probes,omitempty"`
	Failed int `json:"failed,omitempty"`
	Lost   int `json:"lost,omitempty"`
	// Asked is until when Centercode wants to be left alone, by Retry-After.
	Asked time.Time `json:"asked,omitzero"`
	// Pause is a person's.
	Pause *Pause `json:"pause,omitempty"`
	// Projects, of [All], are those that have a record of their own.
	Projects []string `json:"projects,omitempty"`
	// UpdatedAt is when it was written, by the writer's clock.
	UpdatedAt time.Time `json:"updatedAt"`
}

// Fault is an answer of Centercode, or none, that is not well.
type Fault struct {
	// Status is the HTTP status, 0 if there was no answer.
	Status int `json:"status,omitempty"`
	// Text says more, without a secret.
	Text string `json:"text,omitempty"`
	// RetryAfter is the time that the answer asked for.
	RetryAfter time.Duration `json:"-"`
	// Lost says that the request may have been carried out, LookUp that it can be
	// looked up whether it was.
	Lost   bool `json:"-"`
	LookUp bool `json:"-"`
}

// KeyRefused says whether Centercode does not take the API key.
func (f *Fault) KeyRefused() bool { return f != nil && (f.Status == 401 || f.Status == 403) }

// String is the fault in a word: a status, or that there was no answer.
func (f *Fault) String() string {
	if f == nil || f.Status == 0 {
		return "no answer"
	}
	return fmt.Sprint(f.Status)
}

// Pause is a person's wish that a project is left alone.
type Pause struct {
	Who string    `json:"who,omitempty"`
	Why string    `json:"why"`
	At  time.Time `json:"at"`
	// Until is when it ends by itself; zero for never.
	Until time.Time `json:"until,omitzero"`
}

// Open says whether the project is not well.
func (s State) Open() bool { return !s.Since.IsZero() }

// Paused says whether a person holds it.
func (s State) Paused(now time.Time) bool {
	return s.Pause != nil && (s.Pause.Until.IsZero() || now.Before(s.Pause.Until))
}

// ahead is how long from now t is, for a t that was written at set. One that is
// further away than it was set for, and than clocks differ, is of a clock that
// has been set back since: it is not waited for.
func ahead(t, set, now time.Time) time.Duration {
	left := t.Sub(now)
	if left > t.Sub(set)+skew {
		return 0
	}
	return max(left, 0)
}

// AskedFor is how much longer Centercode wants to be left alone.
func (s State) AskedFor(now time.Time) time.Duration { return ahead(s.Asked, s.UpdatedAt, now) }

// TryIn is how long it is until a project that is open may be tried: by whoever
// comes first, once nobody has the turn.
func (s State) TryIn(now time.Time) time.Duration {
	in := max(ahead(s.NextTry, s.UpdatedAt, now), s.AskedFor(now))
	if s.Owner != "" {
		in = max(in, ahead(s.TurnEnds, s.UpdatedAt, now))
	}
	return in
}

// AsOpened returns the state as the project is found not to be well; ok is false
// if it is known already.
func (s State) AsOpened(f Fault, now time.Time) (_ State, ok bool) {
	if s.Open() {
		return s, false
	}
	s.Since, s.Probes, s.Failed = now, 0, 0
	return s.waiting(f, step(afterProbe, 0), now), true
}

// AsTaken returns the state as owner takes the turn to try it; ok is false if it
// is another's, too early, or not needed.
func (s State) AsTaken(owner string, now time.Time) (_ State, ok bool) {
	if !s.Open() || s.Paused(now) || s.TryIn(now) > 0 {
		return s, false
	}
	s.Owner, s.TurnEnds = owner, now.Add(turn)
	return s, true
}

// AsUnwell returns the state as the probe of owner was not well; ok is false if
// the turn is not owner's any more.
func (s State) AsUnwell(owner string, f Fault, now time.Time) (_ State, ok bool) {
	if !s.Open() || s.Owner != owner {
		return s, false
	}
	s.Probes++
	return s.waiting(f, step(afterProbe, s.Probes), now), true
}

// AsFailed returns the state as the delivery that went first in owner's turn
// failed.
func (s State) AsFailed(owner string, f Fault, now time.Time) (_ State, ok bool) {
	if !s.Open() || s.Owner != owner {
		return s, false
	}
	// From here probes come once a minute at most, with a delivery or without.
	s.Probes = len(afterProbe) - 1
	if f.Lost && !f.LookUp {
		s.Lost++
		return s.waiting(f, step(afterLost, s.Lost-1), now), true
	}
	if f.KeyRefused() {
		// It has done nothing, and whoever puts the key right waits for it.
		return s.waiting(f, step(afterProbe, s.Probes), now), true
	}
	s.Failed++
	return s.waiting(f, step(afterFailed, s.Failed-1), now), true
}

// AsReturned returns the state as owner's turn ends without a word of Centercode
// on the ticket, or the file: the next one goes soon.
func (s State) AsReturned(owner string, now time.Time) (_ State, ok bool) {
	if !s.Open() || s.Owner != owner {
		return s, false
	}
	s.Owner, s.TurnEnds = "", time.Time{}
	s.NextTry = now.Add(step(afterProbe, s.Probes))
	return s, true
}

// AsDoubted returns the state as an answer was lost though the project seems
// well; ok is false if it is open.
func (s State) AsDoubted(f Fault, now time.Time) (_ State, ok bool) {
	if s.Open() {
		return s, false
	}
	if s.Lost++; s.Lost < 2 {
		return s, true
	}
	s, ok = s.AsOpened(f, now)
	s.Lost = 0 // what follows counts the deliveries that go first
	return s, ok
}

// AsClosed returns the state as the project is well; ok is false if that is
// known.
func (s State) AsClosed() (_ State, ok bool) {
	if !s.Open() && s.Lost == 0 {
		return s, false
	}
	return State{Project: s.Project, Asked: s.Asked, Pause: s.Pause}, true
}

// AsAsked returns the state as Centercode asked for time; ok is false if that
// much is granted already.
func (s State) AsAsked(wait time.Duration, now time.Time) (_ State, ok bool) {
	wait = min(wait, retryafter.Most)
	if wait <= 0 || s.AskedFor(now) >= wait-time.Second {
		return s, false
	}
	s.Asked = now.Add(wait)
	return s, true
}

// AsPaused returns the state as a person holds the project. A pause that goes on
// keeps its start.
func (s State) AsPaused(p Pause, now time.Time) State {
	if s.Paused(now) {
		p.At = s.Pause.At
	}
	s.Pause = &p
	return s
}

// AsResumed returns the state as a person ends the pause; a project that is not
// well is tried at once, whoever has the turn: a worker that died may have it. ok is false if there is nothing to end.
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

// waiting ends whoever's turn it is, and sets when the next one begins.
func (s State) waiting(f Fault, after time.Duration, now time.Time) State {
	s.Owner, s.TurnEnds = "", time.Time{}
	s.Fault, s.NextTry = &f, now.Add(after)
	if asked, ok := s.AsAsked(f.RetryAfter, now); ok {
		s = asked
	}
	return s
}
