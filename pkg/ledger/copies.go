package ledger

import "time"

// Message is what the ledger has to know of a queue's message, to tell which copy
// of its delivery it is.
type Message struct {
	// Generation is how often the delivery had become a dead letter when the
	// message was sent, as its attribute says. Marked says that there is one:
	// the first message of a delivery has none, nor has a letter that was sent to
	// the work queue by hand.
	Generation int
	Marked     bool
	// SentAt is the queue's SentTimestamp; zero if it is not known.
	SentAt time.Time
}

// Old says whether m is an old copy: a message of a time before the delivery's
// last death. The letter of that death is the one that counts. It is asked in
// every state, since a letter that was sent back may be delivered more than once.
//
// In doubt a message is no old copy: that costs an attempt, the other way would
// cost a feedback. A delivery that a person gave up is the exception: only a
// message that says that it is of a later time revives it.
func (e Entry) Old(m Message) bool {
	switch {
	case m.Marked:
		return m.Generation < e.Generation
	case e.Dropped():
		return true
	case e.Form == 0 && e.State != Dead:
		// The previous version did not note which message died. It took a message
		// without the attribute for one of generation 0.
		return e.Generation > 0
	}
	spent := e.spent()
	return !spent.IsZero() && !m.SentAt.IsZero() && !m.SentAt.After(spent)
}

// spent is Spent, or what stands in for it in a dead entry of the previous
// version: its message was sent before it died.
func (e Entry) spent() time.Time {
	if e.Form == 0 && e.State == Dead && e.Last != nil {
		return e.Last.At
	}
	return e.Spent
}
