package ledger

import "time"

// Message is what the ledger needs to know about a queue's message to tell the copies of a
// delivery apart.
type Message struct {
	// Generation is how often the delivery had been a dead letter when the message was
	// sent, from the message's attribute. Marked reports whether there is such an
	// attribute: the first message of a delivery has none, and neither has a letter that
	// was sent to the work queue by hand.
	Generation int
	Marked     bool
	// SentAt is the queue's SentTimestamp; zero if it is not known.
	SentAt time.Time
}

// Old reports whether m is an old copy: a message from before the delivery's last death.
// The letter of that death is the current one. It is checked in every state, because a
// letter that was sent back may be delivered more than once.
//
// In doubt a message counts as current: the mistake costs an attempt, while the opposite
// one would lose a feedback. A delivery that a person dropped is the exception: only a
// message with a later generation revives it.
func (e Entry) Old(m Message) bool {
	switch {
	case m.Marked:
		return m.Generation < e.Generation
	case e.Dropped():
		return true
	case e.Form == 0 && e.State != Dead:
		// The previous version did not record which message died. It treated a message
		// without the attribute as generation 0.
		return e.Generation > 0
	}
	spent := e.spent()
	return !spent.IsZero() && !m.SentAt.IsZero() && !m.SentAt.After(spent)
}

// spent returns Spent, or its substitute in a dead entry of the previous version, whose
// message was sent before it died.
func (e Entry) spent() time.Time {
	if e.Form == 0 && e.State == Dead && e.Last != nil {
		return e.Last.At
	}
	return e.Spent
}
