package ledger

import (
	"context"
	"errors"
	"fmt"
)

// ErrNotEnded means that a delivery is still being processed, or waits for a person: it
// still needs its data.
var ErrNotEnded = errors.New("ledger: the delivery has not ended")

// forgot replaces the text of a fault, which may have quoted a person.
const forgot = "forgotten"

// AsForgotten returns the entry without personal data: who the tester was, what they wrote,
// their session, what faults quoted and how their files were named. What remains is that
// the delivery is done, and its ticket: another copy of its message must not create a
// second one.
func (e Entry) AsForgotten() Entry {
	e = e.clone()
	if a := e.About; a != nil {
		e.About = &About{ReceivedAt: a.ReceivedAt, Kind: a.Kind, App: a.App, Version: a.Version, Build: a.Build}
	}
	if e.Last != nil {
		last := *e.Last
		last.Text = forgot
		e.Last = &last
	}
	for element, file := range e.Attached {
		file.Name = ""
		e.Attached[element] = file
	}
	e.Forgotten = true
	return e
}

// Forget removes personal data from a delivery that is completed or dropped, as in
// [Entry.AsForgotten], and deletes its letter. Its expiry does not change. If the process
// dies in between, the entry is Forgotten and still has a Letter; the next Forget finishes
// the work. The error is [ErrNotEnded], [ErrNotFound] or the store's.
func (l *Ledger) Forget(ctx context.Context, id string) error {
	doing := "forget the person of delivery " + id
	err := l.edit(ctx, doing, id, nil, func(e Entry) (Entry, error) {
		switch {
		case !Ended(e.Standing()):
			return e, fmt.Errorf("delivery %s: %w", id, ErrNotEnded)
		case e.Forgotten:
			return e, errUnchanged
		}
		return e.AsForgotten().AsActed(l.action(ctx, l.now(), "forgot whose it is")), nil
	})
	if err != nil {
		return err
	}
	return l.edit(ctx, doing, id, nil, func(e Entry) (Entry, error) {
		switch {
		case !Ended(e.Standing()):
			return e, fmt.Errorf("delivery %s: %w", id, ErrNotEnded)
		case e.Letter == 0:
			return e, errUnchanged
		}
		if err := l.forgetLetter(ctx, id, e.Letter); err != nil {
			return e, fmt.Errorf("remove the letter of delivery %s: %w", id, err)
		}
		e.Letter = 0
		return e, nil
	})
}
