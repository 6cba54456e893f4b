package ledger

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// ReasonDropped is the reason of the last fault of a delivery that a person gave
// up.
const ReasonDropped = "dropped"

// hadFailed stands between a person's words and what had gone wrong before.
const hadFailed = " (it had failed at "

// Dropped says whether a person gave the delivery up, and nobody has taken it in
// hand since.
func (e Entry) Dropped() bool {
	return e.State == Dead && e.Last != nil && e.Last.Reason == ReasonDropped
}

// AsDropped returns the entry as a person gives the delivery up, and why.
// generation is that of its dead letter: from now on every message of it, of that
// generation or an older one, is an old copy, which a worker passes over. A
// delivery that is completed stays so. To drop one again, as after a command that
// died, changes the reason only.
func (e Entry) AsDropped(generation int, why string, now time.Time) Entry {
	again := e.Dropped() && generation < e.Generation
	fault := Fault{Reason: ReasonDropped, Stage: "drop", Text: why, At: now}
	if was := e.Last; was != nil {
		// What had gone wrong is still of interest.
		had := was.Stage + ": " + was.Text + ")"
		if was.Reason == ReasonDropped {
			_, had, _ = strings.Cut(was.Text, hadFailed)
		}
		if fault.Status = was.Status; had != "" {
			fault.Text += hadFailed + had
		}
	}
	e.Spent = e.spent()
	e.Last = &fault
	e.Owner, e.LeaseUntil = "", time.Time{}
	if e.State != Completed && !again {
		if e.State != Dead {
			e.State, e.Resume = Dead, e.State
		}
		e.Form = form
		// Beyond the letter's, and not further each time: a letter that is imported
		// takes it over, and would look as if it had been replayed as often.
		e.Generation = max(e.Generation, generation) + 1
	}
	return e
}

// Drop records that a person gave a delivery up, as [Entry.AsDropped] says. The
// error is a [*HeldError] while a worker has the delivery in hand, or the
// store's.
func (l *Ledger) Drop(ctx context.Context, id string, generation int, why string) error {
	for range races {
		err := l.drop(ctx, id, generation, why)
		if !errors.Is(err, ErrConflict) {
			return err
		}
	}
	return fmt.Errorf("drop delivery %s: %w", id, ErrConflict)
}

func (l *Ledger) drop(ctx context.Context, id string, generation int, why string) error {
	now := l.now()
	e := First(id, Message{}, now)
	r, err := l.store.Get(ctx, id)
	switch {
	case err == nil:
		if e, err = Read(r); err != nil {
			return err
		}
	case !errors.Is(err, ErrNotFound):
		return fmt.Errorf("drop delivery %s: %w", id, err)
	}
	if e.HeldAt(now) {
		return &HeldError{Until: e.LeaseUntil}
	}
	e = e.AsDropped(generation, why, now).AsActed(l.action(ctx, now, "dropped it"))
	e.UpdatedAt = now
	// First, so that what a person wants gone is gone in time even if this dies in
	// between. Whoever has the delivery die anew keeps its letter for as long as ever.
	if err := l.retainLetter(ctx, id, e.Letter); err != nil {
		return err
	}
	return l.put(ctx, e, r.Version)
}
