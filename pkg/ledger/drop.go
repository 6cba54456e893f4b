package ledger

import (
	"context"
	"strings"
	"time"
)

// ReasonDropped is the reason in the last fault of a delivery that a person dropped.
const ReasonDropped = "dropped"

// hadFailed separates a person's reason from the previous fault.
const hadFailed = " (it had failed at "

// Dropped reports whether a person dropped the delivery and no worker has claimed it since.
func (e Entry) Dropped() bool {
	return e.State == Dead && e.Last != nil && e.Last.Reason == ReasonDropped
}

// AsDropped returns the entry after a person has dropped the delivery, and why. generation
// is that of its dead letter: from now on every message of that generation or an older one
// is an old copy, which workers skip. A completed delivery stays completed. Dropping again,
// as after a command that was killed, only changes the reason.
func (e Entry) AsDropped(generation int, why string, now time.Time) Entry {
	again := e.Dropped() && generation < e.Generation
	fault := Fault{Reason: ReasonDropped, Stage: "drop", Text: why, At: now}
	if was := e.Last; was != nil {
		// The previous fault is still of interest.
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
		// One beyond the letter's, and not more each time: an imported letter takes over
		// this number, and would look as if it had been replayed that often.
		e.Generation = max(e.Generation, generation) + 1
	}
	return e
}

// Drop records that a person dropped a delivery, as in [Entry.AsDropped]. The error is a
// [*HeldError] while a worker holds the delivery, or the store's.
func (l *Ledger) Drop(ctx context.Context, id string, generation int, why string) error {
	now := l.now()
	first := First(id, Message{}, now)
	return l.edit(ctx, "drop delivery "+id, id, &first, func(e Entry) (Entry, error) {
		if e.HeldAt(now) {
			return e, &HeldError{Until: e.LeaseUntil}
		}
		e = e.AsDropped(generation, why, now).AsActed(l.action(ctx, now, "dropped it"))
		e.UpdatedAt = now
		// The letter comes first, so that what a person wants removed expires in time even
		// if this process dies in between. If the delivery dies again, its new letter is kept
		// for the usual time.
		return e, l.retainLetter(ctx, id, e.Letter)
	})
}
