package breaker

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// How long a message is held whose project is not well: in the upper quarter of
// a bound that is a quarter of the outage so far.
const (
	shortest = 5 * time.Second
	longest  = 15 * time.Minute

	// ManyReceives is the receive from which on every wait is up to ManyWait, so
	// that 13 days in a queue take fewer than the 1,000 receives that SQS grants.
	ManyReceives = 450
	ManyWait     = 45 * time.Minute
)

// Hold says why a delivery has to wait that could be worked on.
type Hold struct {
	Project string
	// Since is when the wait began, for all.
	Since time.Time
	// For is how long it lasts if that is known, else 0. Early says that it can be
	// over before.
	For   time.Duration
	Early bool
	// Open says that the project is not well, KeyRefused that it does not take the
	// API key, Paused that a person holds it.
	Open, KeyRefused, Paused bool
	// Why is for people.
	Why string
}

// Wait is how long a message is held that the queue has handed out so many times.
func (h Hold) Wait(now time.Time, receives int) time.Duration {
	bound := min(max(now.Sub(h.Since)/4, shortest), longest)
	if receives >= ManyReceives {
		bound = ManyWait
	}
	wait := bound - rand.N(bound/4)
	if h.For <= 0 {
		return wait
	}
	// Its end is known. Those that wait for it do not come all at once.
	known := h.For + rand.N(min(max(h.For/4, shortest), time.Minute))
	if h.Early {
		return min(wait, known)
	}
	return known
}

// hold is why a delivery of the project has to wait, if it has to. all is the
// state of [All].
func (s State) hold(all State, now time.Time) (h Hold, held bool) {
	for _, p := range []State{all, s} {
		if p.Paused(now) {
			return p.pauseHold(s.Project, now), true
		}
	}
	switch asked := s.AskedFor(now); {
	case s.Open():
		return Hold{Project: s.Project, Since: s.Since, Open: true, KeyRefused: s.Fault.KeyRefused(),
			Why: fmt.Sprintf("Centercode is not responding since %s (%s)", s.Since.UTC().Format(time.TimeOnly), s.Fault)}, true
	case asked > 0:
		return Hold{Project: s.Project, Since: s.UpdatedAt, For: asked,
			Why: "Centercode has asked to wait for " + asked.Round(time.Second).String()}, true
	}
	return Hold{}, false
}

func (s State) pauseHold(project string, now time.Time) Hold {
	h := Hold{Project: project, Since: s.Pause.At, Early: true, Paused: true, Why: "paused by " + s.Pause.Who + ": " + s.Pause.Why}
	if s.Pause.Who == "" {
		h.Why = "paused: " + s.Pause.Why
	}
	if !s.Pause.Until.IsZero() {
		h.For = s.Pause.Until.Sub(now)
	}
	return h
}
