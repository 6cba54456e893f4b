package ledger

import (
	"context"
	"time"
)

// AsAdopted returns the entry of a delivery whose message is in the dead-letter queue
// although the ledger has no record of that: the queue moved it, or an earlier version of
// the worker did. It stays the current letter, so the generation does not change.
func (e Entry) AsAdopted(f Fault, now time.Time) Entry {
	if e.State != Dead {
		e.State, e.Resume = Dead, e.State
	}
	e.Owner, e.LeaseUntil = "", time.Time{}
	if e.Last == nil {
		e.Last = &f
	} else if e.Last.Reason == "" {
		last := *e.Last
		last.Reason = f.Reason
		e.Last = &last
	}
	e.UpdatedAt = now
	return e
}

// Adopt records that a delivery's message is in the dead-letter queue, with f as the reason
// if the ledger has none, and keeps the message as [Claim.KeepLetter] does. The error is a
// [*DoneError] if the letter is not needed, because its delivery is completed or dropped or
// generation is that of an older letter; a [*HeldError] while a worker holds the delivery;
// or the store's.
func (l *Ledger) Adopt(ctx context.Context, id string, generation int, f Fault, letter []byte) error {
	now := l.now()
	first := First(id, Message{Generation: generation}, now)
	return l.edit(ctx, "adopt the letter of delivery "+id, id, &first, func(e Entry) (Entry, error) {
		switch {
		case e.State == Completed, e.Old(Message{Generation: generation, Marked: generation > 0}):
			return e, &DoneError{Entry: e}
		case e.HeldAt(now):
			return e, &HeldError{Until: e.LeaseUntil}
		case e.State == Dead && e.Letter > 0:
			return e, errUnchanged // already recorded
		}
		parts, err := l.keepLetter(ctx, id, letter)
		e = e.AsAdopted(f, now)
		e.Letter = max(e.Letter, parts)
		return e, err
	})
}
