package breaker

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// How long a message of an open project is held: a random time in the upper quarter of a
// bound, which is a quarter of the outage so far.
const (
	shortest = 5 * time.Second
	longest  = 15 * time.Minute

	// ManyReceives is the receive from which every wait may be as long as ManyWait. It
	// keeps a message below maxReceiveCount, 1,000 receives, during 13 days in the queue.
	ManyReceives = 450
	ManyWait     = 45 * time.Minute
)

// Hold is the reason why a delivery has to wait.
type Hold struct {
	Project string
	// Since is when the outage or the pause began.
	Since time.Time
	// For is how much longer it lasts, 0 if that is not known. Early is set if it may end
	// sooner.
	For   time.Duration
	Early bool
	// Open is set if the breaker is open, KeyRefused if Centercode rejects the API key,
	// Paused if a person has paused the project.
	Open, KeyRefused, Paused bool
	// Why is the reason as text for people.
	Why string
}

// Wait returns how long to hold a message that has been received that many times.
func (h Hold) Wait(now time.Time, receives int) time.Duration {
	bound := min(max(now.Sub(h.Since)/4, shortest), longest)
	if receives >= ManyReceives {
		bound = ManyWait
	}
	wait := bound - rand.N(bound/4)
	if h.For <= 0 {
		return wait
	}
	// The end is known. A random share keeps the waiting messages from returning all at
	// once.
	known := h.For + rand.N(min(max(h.For/4, shortest), time.Minute))
	if h.Early {
		return min(wait, known)
	}
	return known
}

// hold returns why a delivery of the project has to wait, if it does. all is the state of
// [All].
func (s State) hold(all State, now time.Time) (h Hold, held bool) {
	for _, p := range []State{all, s} {
		if p.Paused(now) {
			return p.pauseHold(s.Project, now), true
		}
	}
	switch asked := s.AskedFor(now); {
	case s.Open():
		return Hold{Project: s.Project, Since: s.Since, Open: true, KeyRefused: s.Fault.KeyRefused(),
			Why: fmt.Sprintf("Centercode has not responded since %s (%s)", s.Since.UTC().Format(time.TimeOnly), s.Fault)}, true
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
