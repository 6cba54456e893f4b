package ledger

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// Query selects the deliveries that match every field that is set. Texts match parts of a
// field, regardless of case.
type Query struct {
	// ID is the beginning of the delivery id.
	ID string
	// Text is part of the email address, the app, the session's path, the ticket's id or
	// the beginning of what the tester wrote, or the beginning of the delivery id.
	Text string
	// Email, App, Kind and Session match parts of the fields of [About].
	Email, App, Kind, Session string
	// Ticket is the complete ticket id.
	Ticket string
	// States are values of [Entry.Standing]; none for any.
	States []string
	// Reason is the complete reason of the last fault.
	Reason string
	// Since and Until bound when the webhook arrived: from Since on, and before Until.
	Since, Until time.Time
	// Consistent includes everything that was written before the search, which costs twice
	// as much on a stack.
	Consistent bool
	// Progress, if set, is called with the number of records read so far when a search
	// takes long. Calls come one at a time.
	Progress func(looked int)
}

// Match reports whether a delivery matches.
func (q Query) Match(e Entry) bool {
	var about About
	if e.About != nil {
		about = *e.About
	}
	var reason string
	if e.Last != nil {
		reason = e.Last.Reason
	}
	received := e.Received()
	return strings.HasPrefix(e.DeliveryID, strings.ToLower(q.ID)) && q.matchText(e.DeliveryID, e.TicketID, about) &&
		has(about.Email, q.Email) && has(about.App, q.App) && has(about.Kind, q.Kind) && has(about.Session, q.Session) &&
		(q.Ticket == "" || strings.EqualFold(e.TicketID, q.Ticket)) &&
		(len(q.States) == 0 || slices.Contains(q.States, e.Standing())) &&
		(q.Reason == "" || reason == q.Reason) &&
		!received.Before(q.Since) && (q.Until.IsZero() || received.Before(q.Until))
}

func (q Query) matchText(id, ticket string, a About) bool {
	if q.Text == "" || strings.HasPrefix(id, strings.ToLower(q.Text)) {
		return true
	}
	return slices.ContainsFunc([]string{a.Email, a.App, a.Session, a.Text, ticket}, func(field string) bool { return has(field, q.Text) })
}

func has(field, part string) bool {
	return part == "" || strings.Contains(strings.ToLower(field), strings.ToLower(part))
}

// Standing returns the delivery's state, with dropped separate from dead.
func (e Entry) Standing() string {
	if e.Dropped() {
		return stateDropped
	}
	return string(e.State)
}

// Standings returns every value of [Entry.Standing], in the order of a delivery's way.
func Standings() []string {
	return []string{string(Claimed), string(Creating), string(Created), string(Completed), string(Dead), stateDropped}
}

// Received returns when the webhook arrived or, if that is unknown, when a worker first saw
// the delivery.
func (e Entry) Received() time.Time {
	if e.About != nil && !e.About.ReceivedAt.IsZero() {
		return e.About.ReceivedAt
	}
	return e.FirstSeen
}

// Outcome is what statistics count of a delivery.
type Outcome struct {
	Received time.Time
	App      string
	// Standing is that of [Entry.Standing].
	Standing string
	// Ticket says that it ended with a ticket, Took how long that took from the webhook
	// to the ticket with its files.
	Ticket bool
	Took   time.Duration
}

// Outcome returns what became of the delivery.
func (e Entry) Outcome() Outcome {
	o := Outcome{Received: e.Received(), Standing: e.Standing()}
	if e.About != nil {
		o.App = e.About.App
	}
	if e.State == Completed && (e.Where != nil || e.TicketID != "") {
		o.Ticket, o.Took = true, max(e.doneAt().Sub(o.Received), 0)
	}
	return o
}

// doneAt returns when the delivery was completed.
func (e Entry) doneAt() time.Time {
	for _, a := range slices.Backward(e.Tried) {
		if a.Decision == DecisionCompleted {
			return a.At.Add(time.Duration(a.Took) * time.Millisecond)
		}
	}
	return e.UpdatedAt // an attempt that the ledger does not remember
}

// LaterFirst compares deliveries for sorting, the last received first.
func LaterFirst(a, b Entry) int {
	return cmp.Or(b.Received().Compare(a.Received()), cmp.Compare(a.DeliveryID, b.DeliveryID))
}
