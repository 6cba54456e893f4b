package ledger

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// Query says which deliveries are looked for: those of which all that is set is
// true. Texts are parts of a field, in upper or lower case.
type Query struct {
	// ID is how the delivery id begins.
	ID string
	// Text is part of the email address, the app, the session's path, the ticket's
	// id or the beginning of what the tester wrote, or how the delivery id begins.
	Text string
	// Email, App, Kind and Session are parts of the fields of [About].
	Email, App, Kind, Session string
	// Ticket is the ticket's id, whole.
	Ticket string
	// States are those of [Entry.Standing]; none for any.
	States []string
	// Reason is that of the last fault, whole.
	Reason string
	// Since and Until bound when the webhook came: not before Since, and before
	// Until.
	Since, Until time.Time
	// Consistent finds all that was written before the search, which on a stack costs
	// twice as much.
	Consistent bool
	// Progress, if it is set, is told how many records have been looked at, where
	// that takes long. Calls come one after the other.
	Progress func(looked int)
}

// Match says whether a delivery is one of those that are looked for.
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

// Standing is the delivery's state, with dropped apart from dead.
func (e Entry) Standing() string {
	if e.Dropped() {
		return stateDropped
	}
	return string(e.State)
}

// Standings are all values of [Entry.Standing], in the order of a delivery's way.
func Standings() []string {
	return []string{string(Claimed), string(Creating), string(Created), string(Completed), string(Dead), stateDropped}
}

// Received is when the webhook came or, where that is not known, when a worker saw
// the delivery first.
func (e Entry) Received() time.Time {
	if e.About != nil && !e.About.ReceivedAt.IsZero() {
		return e.About.ReceivedAt
	}
	return e.FirstSeen
}

// LaterFirst sorts deliveries by when they were received, the last first.
func LaterFirst(a, b Entry) int {
	return cmp.Or(b.Received().Compare(a.Received()), cmp.Compare(a.DeliveryID, b.DeliveryID))
}
