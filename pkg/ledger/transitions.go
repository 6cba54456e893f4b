package ledger

import (
	"maps"
	"slices"
	"time"
)

// The rules of a delivery are functions from an entry to the next: the store
// writes what they return, and a dry run prints it. None of them changes the
// entry that it is called on, nor what that refers to.

// mostKept is how many attempts are kept from the beginning and from the end, and
// how many actions from the end.
const mostKept = 9

// First returns the entry of a delivery that the ledger sees for the first time,
// in the hands of nobody.
func First(id string, m Message, now time.Time) Entry {
	return Entry{DeliveryID: id, Form: form, State: Claimed, Generation: m.Generation, FirstSeen: now, UpdatedAt: now}
}

// Taking is who takes a delivery in hand.
type Taking struct {
	Owner string
	Until time.Time
	// Alone says that it is the only work of its worker.
	Alone bool
}

// Take returns the entry as somebody takes the delivery in hand for a message,
// which revives it if it is dead. It does not ask whether another holds it. The
// error is a [*DoneError] if the message needs no work.
func (e Entry) Take(m Message, t Taking, now time.Time) (Entry, error) {
	if e.State == Completed || e.Old(m) {
		return e, &DoneError{Entry: e}
	}
	if e.Owner != "" {
		// Should this attempt end as that one did, and the queue give the message
		// up, nothing else says why.
		e.Last = &Fault{Stage: "claim", At: now,
			Text: "an earlier attempt ended without recording a result: its worker died, or could not reach the ledger"}
		e = e.tried(Attempt{At: e.UpdatedAt, Decision: DecisionSilent})
		e.Suspect = true
		e.Letter = max(e.Letter, mostParts) // it may have died before it said so
		if e.Alone {
			e.EndsAlone++
		}
	}
	if e.State == Dead {
		e.Spent, e.Form = e.spent(), form
		e.State, e.Resume = e.Resume, ""
		e.Replays++
		e.Waited, e.Suspect, e.EndsAlone = 0, false, 0
	}
	if e.CreatingSince.After(now) {
		// A clock wrote it that has gone back since: to look the ticket up must not
		// wait until that time comes.
		e.CreatingSince = now
	}
	e.Generation = max(e.Generation, m.Generation)
	e.Attempts++
	e.Owner, e.LeaseUntil, e.Alone = t.Owner, t.Until, t.Alone
	return e, nil
}

// AsCreating returns the entry as the request for the ticket is sent next.
func (e Entry) AsCreating(where Where, now time.Time) Entry {
	e.State, e.CreatingSince, e.Where = Creating, now, &where
	return e
}

// AsCreated returns the entry as Centercode has the ticket. id and files may be
// unknown.
func (e Entry) AsCreated(id string, files map[string]string, answerKeys []string) Entry {
	e.State, e.TicketID, e.Files, e.AnswerKeys = Created, id, maps.Clone(files), slices.Clone(answerKeys)
	return e
}

// AsAttaching returns the entry as the named attachment is sent next; "" for
// none, after all.
func (e Entry) AsAttaching(name string) Entry {
	e.Attaching = name
	return e
}

// AsAttached returns the entry as Centercode has the named attachment.
func (e Entry) AsAttached(name string, a Attachment) Entry {
	e.Attached = maps.Clone(e.Attached)
	if e.Attached == nil {
		e.Attached = map[string]Attachment{}
	}
	e.Attached[name], e.Attaching = a, ""
	return e
}

// AsNotSent returns the entry as the request that was announced last is known to
// have done nothing.
func (e Entry) AsNotSent() Entry {
	if e.State == Creating {
		e.State = Claimed
	}
	e.Attaching = ""
	return e
}

// AsTwin returns the entry as a person has to say whether it is the webhook of a
// delivery that reconcile sent.
func (e Entry) AsTwin(of string) Entry {
	e.Twin = of
	return e
}

// AsCompleted returns the entry as nothing is left to do.
func (e Entry) AsCompleted(a Attempt) Entry {
	e.State, e.Attaching = Completed, ""
	a.Decision = DecisionCompleted
	return e.finished(a)
}

// AsDead returns the entry as the dead-letter queue has the delivery: m is the
// message that died.
func (e Entry) AsDead(f Fault, m Message, a Attempt) Entry {
	e.State, e.Resume = Dead, e.State
	e.Generation++
	e.Form = form
	if m.SentAt.After(e.Spent) {
		e.Spent = m.SentAt
	}
	e.Last = &f
	a.Decision = DecisionDeadLetter
	return e.finished(a.at(f))
}

// AsReleased returns the entry as it waits for another attempt. waits is how long
// after a failed attempt of its own, 0 if it was only put back.
func (e Entry) AsReleased(f Fault, waits time.Duration, a Attempt) Entry {
	e.Last = &f
	e.Waited += waits
	if a.Decision = DecisionRetry; waits == 0 {
		a.Decision = DecisionHeld
	}
	return e.finished(a.at(f))
}

// finished is the end of an attempt that came to one: nobody holds the delivery
// any more, and it is no suspect.
func (e Entry) finished(a Attempt) Entry {
	e.Owner, e.LeaseUntil = "", time.Time{}
	e.Suspect, e.Alone, e.EndsAlone = false, false, 0
	return e.tried(a)
}

func (a Attempt) at(f Fault) Attempt {
	a.Stage, a.Status = f.Stage, f.Status
	return a
}

func (e Entry) tried(a Attempt) Entry {
	a.At = a.At.UTC().Truncate(time.Millisecond)
	e.Tried = append(slices.Clone(e.Tried), a)
	if len(e.Tried) > 2*mostKept {
		e.Tried = slices.Delete(e.Tried, mostKept, mostKept+1)
	}
	return e
}

// AsActed returns the entry with what a person did.
func (e Entry) AsActed(a Action) Entry {
	a.At = a.At.UTC().Truncate(time.Second)
	e.Actions = append(slices.Clone(e.Actions), a)
	e.Actions = e.Actions[max(0, len(e.Actions)-mostKept):]
	return e
}
