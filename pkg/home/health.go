package home

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/dustin/go-humanize"

	"fairbridge/pkg/breaker"
	"fairbridge/pkg/internal/sleep"
)

const (
	// outageNeeds is how long an outage of Centercode may last before it needs a person,
	// pauseNeeds the same for a pause.
	outageNeeds = 15 * time.Minute
	pauseNeeds  = 24 * time.Hour
	// mostInFlight is SQS's limit of messages in flight, which includes held ones. See
	// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
	mostInFlight = 120_000
)

// PauseRequest is what to hold, and for how long.
type PauseRequest struct {
	// Project is the key of a Centercode project; "" for all of them.
	Project string
	// Because is the reason, for other people; Who is the person who asked for it.
	Because, Who string
	// For is how long the pause lasts; 0 means until it is ended, which a stack refuses.
	For time.Duration
}

// PauseError means that a requested pause is not possible.
type PauseError struct{ Reason string }

// Error implements error.
func (e *PauseError) Error() string { return e.Reason }

// Pause holds deliveries; webhooks are still accepted. When it returns, every worker knows
// of the pause, and starts no more requests.
func (h *Home) Pause(ctx context.Context, p PauseRequest, now time.Time) (breaker.State, error) {
	b, err := h.breaker()
	if err != nil {
		return breaker.State{}, err
	}
	pause := breaker.Pause{Who: p.Who, Why: p.Because, At: now.UTC().Truncate(time.Second)}
	if p.For > 0 {
		pause.Until = pause.At.Add(p.For)
	}
	if h.OnAWS() {
		// SQS does not keep messages for ever.
		began := pause.At
		if s, err := b.State(ctx, p.Project); err != nil {
			return breaker.State{}, err
		} else if s.Paused(now) {
			began = s.Pause.At
		}
		last := began.Add(breaker.LongestPause)
		switch {
		case p.For <= 0:
			return breaker.State{}, &PauseError{"a stack can be paused for a time only: its messages do not live for ever"}
		case pause.Until.After(last):
			return breaker.State{}, &PauseError{fmt.Sprintf("a stack can be paused for 7 days at most, counted from its first start without a resume: until %s",
				last.Format(time.RFC3339))}
		}
	}
	s, err := b.Pause(ctx, p.Project, pause)
	if err != nil {
		return s, err
	}
	return s, sleep.For(ctx, breaker.Known)
}

// Resume ends a pause. A project whose breaker is open is tried at once.
func (h *Home) Resume(ctx context.Context, project string) error {
	b, err := h.breaker()
	if err != nil {
		return err
	}
	_, err = b.Resume(ctx, project)
	return err
}

func (h *Home) breaker() (*breaker.Breaker, error) {
	return breaker.New(breaker.Config{Store: h.Ledger, Now: time.Now})
}

// Health returns the stored breaker states: that of all projects together first, then that
// of each project that was ever open or paused.
func (h *Home) Health(ctx context.Context) ([]breaker.State, error) {
	b, err := h.breaker()
	if err != nil {
		return nil, err
	}
	states, err := b.States(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the circuit breakers: %w", err)
	}
	return states, nil
}

// tellHealth adds sentences about open breakers and pauses, and problems for those that
// have lasted. It returns whether Centercode is known not to respond.
func (s *Status) tellHealth(h *Home, states []breaker.State, now time.Time) (away bool) {
	held := false
	for _, state := range states {
		project := ""
		if len(states) > 2 && state.Project != breaker.All {
			project = " (project " + state.Project + ")"
		}
		tell := func(lasted, most time.Duration, text string) {
			held = true
			if lasted >= most {
				s.problem("%s", text)
			} else {
				s.Notes = append(s.Notes, text)
			}
		}
		if p := state.Pause; state.Paused(now) {
			what, resume := "everything", "resume"
			if state.Project != breaker.All {
				what, resume = "project "+state.Project, "resume --project "+state.Project
			}
			until := "until it is ended: " + h.Command(resume)
			if !p.Until.IsZero() {
				until = "until " + p.Until.UTC().Format(time.RFC3339)
			}
			tell(now.Sub(p.At), pauseNeeds, fmt.Sprintf("%s has been paused by %s since %s, %s (%s)",
				what, cmp.Or(p.Who, "somebody"), p.At.UTC().Format(time.RFC3339), until, p.Why))
		}
		if state.Open() {
			away = true
			since := state.Since.UTC().Format("15:04")
			what, needs := fmt.Sprintf("has not responded since %s (%s)", since, state.Fault), outageNeeds
			if state.Fault.KeyRefused() {
				what = fmt.Sprintf("has rejected the API key since %s (%s): %s", since, state.Fault, h.Command("secrets put centercode-api-key"))
				needs = 0 // this does not end on its own
			}
			probe := "the next probe is in " + state.TryIn(now).Round(time.Second).String()
			if state.Paused(now) || states[0].Project == breaker.All && states[0].Paused(now) {
				probe = "there is no probe before the pause ends"
			}
			tell(now.Sub(state.Since), needs, fmt.Sprintf("Centercode%s %s; %s", project, what, probe))
		}
	}
	switch {
	case held && s.Work != nil:
		s.Notes = append(s.Notes, waits(s.Work.Total(), "feedback")+"; nothing is lost while this lasts")
	case held:
		s.Notes = append(s.Notes, "what arrives waits; nothing is lost while this lasts")
	}
	if h.OnAWS() && s.Work != nil && s.Work.InWork >= mostInFlight*9/10 {
		s.Notes = append(s.Notes, fmt.Sprintf("SQS holds %s messages in flight, and 120,000 at most: newer ones wait in the queue until some of those are done.",
			humanize.Comma(int64(s.Work.InWork))))
	}
	return away
}
