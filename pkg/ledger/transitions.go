package ledger

import (
	"maps"
	"slices"
	"time"
)

// The rules of a delivery are functions from one entry to the next: the store writes what
// they return, and a dry run prints it. They do not change the entry that they are called
// on, or anything that it refers to.

// mostKept is how many attempts are kept from the beginning and from the end, and how many
// actions from the end.
const mostKept = 9

// First returns the entry of a delivery that the ledger sees for the first time. It has no
// owner.
func First(id string, m Message, now time.Time) Entry {
	return Entry{DeliveryID: id, Form: form, State: Claimed, Generation: m.Generation, FirstSeen: now, UpdatedAt: now}
}

// Take returns the entry as claimed by an owner for a message, which revives it if it is
// dead; alone means that the delivery is its worker's only work. It does not check whether
// somebody else holds it. The error is a [*DoneError] if the message needs no work.
func (e Entry) Take(m Message, owner string, alone bool, now time.Time) (Entry, error) {
	if e.State == Completed || e.Old(m) {
		return e, &DoneError{Entry: e}
	}
	if e.Owner == "" {
		e.Waited = max(e.Waited-e.cutShort(now), 0)
	} else {
		// If this attempt ends in the same way, and SQS moves the message, there is no
		// other record of the reason.
		e.Last = &Fault{Stage: "claim", At: now,
			Text: "an earlier attempt ended without recording a result: its worker died, or could not reach the ledger"}
		e = e.tried(Attempt{At: e.UpdatedAt, Decision: DecisionSilent})
		e.Suspect = true
		e.Letter = max(e.Letter, mostParts) // the process may have died before recording the number
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
		// The time comes from a clock that has gone back since; the look-up must not wait
		// for it.
		e.CreatingSince = now
	}
	e.Generation = max(e.Generation, m.Generation)
	e.Attempts++
	e.Owner, e.LeaseUntil, e.Alone = owner, now.Add(Lease), alone
	return e, nil
}

// AsCreating returns the entry before the request for the ticket is sent.
func (e Entry) AsCreating(where Where, now time.Time) Entry {
	e.State, e.CreatingSince, e.Where = Creating, now, &where
	return e
}

// AsCreated returns the entry after Centercode created the ticket. id and files may be
// unknown.
func (e Entry) AsCreated(id string, files map[string]string, answerKeys []string) Entry {
	e.State, e.TicketID, e.Files, e.AnswerKeys = Created, id, maps.Clone(files), slices.Clone(answerKeys)
	return e
}

// AsAttaching returns the entry before the named attachment is sent; "" takes that back.
func (e Entry) AsAttaching(name string) Entry {
	e.Attaching = name
	return e
}

// AsAttached returns the entry after Centercode accepted the named attachment.
func (e Entry) AsAttached(name string, a Attachment) Entry {
	e.Attached = maps.Clone(e.Attached)
	if e.Attached == nil {
		e.Attached = map[string]Attachment{}
	}
	e.Attached[name], e.Attaching = a, ""
	return e
}

// AsNotSent returns the entry after the announced request is known to have done nothing.
func (e Entry) AsNotSent() Entry {
	if e.State == Creating {
		e.State = Claimed
	}
	e.Attaching = ""
	return e
}

// AsCompleted returns the entry after all work is done.
func (e Entry) AsCompleted(a Attempt) Entry {
	e.State, e.Attaching = Completed, ""
	a.Decision = DecisionCompleted
	return e.finished(a)
}

// AsDead returns the entry after the delivery became a dead letter; m is the message that
// died.
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

// AsReleased returns the entry while it waits for another attempt. waits is the delay after
// a failed attempt, 0 if the delivery was only put back.
func (e Entry) AsReleased(f Fault, waits time.Duration, a Attempt) Entry {
	e.Last = &f
	e.Waited += waits
	a.Wait = waits.Milliseconds()
	if a.Decision = DecisionRetry; waits == 0 {
		a.Decision = DecisionHeld
	}
	return e.finished(a.at(f))
}

// cutShort returns how much of the delay after the last attempt has not passed: all of it if
// the clock has been set back since.
func (e Entry) cutShort(now time.Time) time.Duration {
	if len(e.Tried) == 0 {
		return 0
	}
	last := e.Tried[len(e.Tried)-1]
	planned := time.Duration(last.Wait) * time.Millisecond
	passed := now.Sub(last.At.Add(time.Duration(last.Took) * time.Millisecond))
	return min(max(planned-passed, 0), planned)
}

// AsHandedOver returns the entry while its files wait in the files queue, for the reason f.
func (e Entry) AsHandedOver(f Fault, a Attempt) Entry {
	e.Last = &f
	a.Decision = DecisionHandedOver
	return e.finished(a.at(f))
}

// finished ends an attempt that recorded its result: nobody holds the delivery any more,
// and it is not a suspect.
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

// AsActed returns the entry with a person's action added.
func (e Entry) AsActed(a Action) Entry {
	a.At = a.At.UTC().Truncate(time.Second)
	e.Actions = append(slices.Clone(e.Actions), a)
	e.Actions = e.Actions[max(0, len(e.Actions)-mostKept):]
	return e
}
