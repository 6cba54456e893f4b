package ledger

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// State is how far a delivery got.
type State string

// The states. A delivery goes from claimed to completed. It can become dead from any state,
// and a replay takes it back to where it was.
const (
	// Claimed: a worker holds it, and nothing was sent to Centercode.
	Claimed State = "claimed"
	// Creating: the request for the ticket may be on its way. If the lease ends in this
	// state, the answer was lost and there may be a ticket, so the request is never simply
	// sent again.
	Creating State = "creating"
	// Created: the ticket exists, attachments may be missing.
	Created State = "created"
	// Completed: nothing is left to do.
	Completed State = "completed"
	// Dead: it needs a person; the message is in the dead-letter queue.
	Dead State = "dead"
)

// Known reports whether s is one of the states.
func (s State) Known() bool {
	return slices.Contains([]State{Claimed, Creating, Created, Completed, Dead}, s)
}

// form is the Form of an entry that this version writes.
const form = 1

// Entry is what the ledger knows about one delivery. It contains no payload and no secret.
// The zero value of each field is safe: a worker of the previous version drops the fields
// that it does not know when it rewrites an entry.
type Entry struct {
	DeliveryID string `json:"deliveryId"`
	// Form is 0 for an entry that the previous version wrote or rewrote: then a zero Spent
	// has no meaning.
	Form  int   `json:"form,omitempty"`
	State State `json:"state"`

	// Owner is who holds the delivery, until LeaseUntil. The lease was set at UpdatedAt.
	Owner      string    `json:"owner,omitempty"`
	LeaseUntil time.Time `json:"leaseUntil,omitzero"`

	// CreatingSince is when the last request for the ticket began, Where its destination;
	// nil if unknown.
	CreatingSince time.Time `json:"creatingSince,omitzero"`
	Where         *Where    `json:"where,omitempty"`
	// TicketID is Centercode's id of the ticket, "" if its answer did not contain one.
	TicketID string `json:"ticketId,omitempty"`
	// Files are the endpoints for the ticket's files, by file element, without the API key.
	Files map[string]string `json:"files,omitempty"`
	// AnswerKeys are the keys in Centercode's answer, for the error message if an endpoint
	// is missing.
	AnswerKeys []string `json:"answerKeys,omitempty"`
	// Attaching is the attachment whose upload may be on its way: what the state Creating
	// is for a ticket.
	Attaching string `json:"attaching,omitempty"`
	// Attached are the attachments that Centercode has.
	Attached map[string]Attachment `json:"attached,omitempty"`

	// Twin is a delivery that reconcile sent with the same session and text: this one is
	// either its webhook, or another feedback with the same words. Apart means that a
	// person has confirmed the latter.
	Twin  string `json:"twin,omitempty"`
	Apart bool   `json:"apart,omitempty"`

	// Attempts counts how often a worker claimed the delivery, Generation how often it
	// became a dead letter, Replays how often the dead letter came back.
	Attempts   int `json:"attempts"`
	Replays    int `json:"replays,omitempty"`
	Generation int `json:"generation,omitempty"`
	// Spent is the SentTimestamp of the message that last became a dead letter: a message
	// without a generation that was sent no later is an old copy.
	Spent time.Time `json:"spent,omitzero"`
	// Tried are the first nine and the last nine attempts.
	Tried []Attempt `json:"tried,omitempty"`
	// Waited is the sum of the delays after failed attempts. Being held does not count, nor
	// does the rest of a delay that the next attempt has cut short, and a replay starts at
	// 0. In JSON it is in nanoseconds.
	Waited time.Duration `json:"waited,omitempty"`
	// Suspect means that an attempt ended without recording a result, so it may have killed
	// its worker. Alone means that the current attempt is its worker's only work; EndsAlone
	// counts consecutive such attempts that recorded no result.
	Suspect   bool `json:"suspect,omitempty"`
	Alone     bool `json:"alone,omitempty"`
	EndsAlone int  `json:"endsAlone,omitempty"`
	// Actions are the last nine things that people did to it.
	Actions []Action `json:"actions,omitempty"`

	// Last is the last fault.
	Last *Fault `json:"last,omitempty"`
	// Resume is the state in which a dead delivery continues when it is replayed.
	Resume State `json:"resume,omitempty"`
	// Letter is the maximum number of items in which the ledger keeps the dead letter's
	// message; see [Ledger.Letter]. They are removed when the delivery is completed.
	Letter int `json:"letter,omitempty"`

	// About describes the delivery, for searches.
	About *About `json:"about,omitempty"`
	// Forgotten means that personal data has been removed, and that a letter of this
	// delivery is not kept; see [Ledger.Forget].
	Forgotten bool `json:"forgotten,omitempty"`

	FirstSeen time.Time `json:"firstSeen"`
	UpdatedAt time.Time `json:"updatedAt"`
}

// Where is the destination of a request for a ticket.
type Where struct {
	// BaseURL is Centercode's address; "" for the simulator.
	BaseURL string `json:"baseUrl,omitempty"`
	Project string `json:"project,omitempty"`
	Source  string `json:"source,omitempty"`
	// Lookup is where the ticket can be looked up; nil if nowhere.
	Lookup *Lookup `json:"lookup,omitempty"`
	// Denied means that Centercode itself reported a failure: without a look-up, the
	// request is assumed to have created no ticket.
	Denied bool `json:"denied,omitempty"`
	// Mapping is the hash of the mapping that produced the request; see [Ledger.NowRuns].
	Mapping string `json:"mapping,omitempty"`
}

// Site returns the address that the request went to, in words for the simulator's.
func (w Where) Site() string { return cmp.Or(w.BaseURL, "the simulator") }

// Lookup is a Centercode data package that lists tickets with their delivery id.
type Lookup struct {
	Package      string `json:"package"`
	Column       string `json:"column"`
	TicketColumn string `json:"ticketColumn,omitempty"`
	// Settle is how long after the request a ticket may still be missing from the package.
	Settle time.Duration `json:"settle,omitempty"`
}

// Attachment is a file that Centercode has accepted.
type Attachment struct {
	Name  string    `json:"name"`
	Bytes int64     `json:"bytes"`
	At    time.Time `json:"at"`
}

// Attempt is one time that a worker held the delivery.
type Attempt struct {
	At time.Time `json:"at"`
	// Stage and Status come from the fault; empty if there was none.
	Stage  string `json:"stage,omitempty"`
	Status int    `json:"status,omitempty"`
	// Decision is the outcome: completed, handed_over, dead_letter, retry, held, or silent for an
	// attempt that ended without recording a result.
	Decision string `json:"decision"`
	// Took is how long it took, in milliseconds.
	Took int64 `json:"ms,omitempty"`
	// Wait is the delay after a retry, in milliseconds, as far as it counts in
	// [Entry.Waited].
	Wait int64 `json:"waitMs,omitempty"`
}

// The decisions of an [Attempt].
const (
	DecisionCompleted  = "completed"
	DecisionHandedOver = "handed_over" // to the files queue
	DecisionDeadLetter = "dead_letter"
	DecisionRetry      = "retry"
	DecisionHeld       = "held"
	DecisionSilent     = "silent"
)

// Action is what a person did to a delivery.
type Action struct {
	At   time.Time `json:"at"`
	Who  string    `json:"who,omitempty"`
	What string    `json:"what"`
}

// About describes a delivery. Email and Text are left out if ledger.remember is ids.
type About struct {
	// ReceivedAt is when the webhook arrived.
	ReceivedAt time.Time `json:"receivedAt,omitzero"`

	Kind    string `json:"kind,omitempty"`
	App     string `json:"app,omitempty"`
	Version string `json:"version,omitempty"`
	Build   string `json:"build,omitempty"`
	// Session is the path of the session's page, and SessionHost the host of an https
	// one, with its port; "" in an entry that an older version wrote.
	Session     string `json:"session,omitempty"`
	SessionHost string `json:"sessionHost,omitempty"`
	Email       string `json:"email,omitempty"`
	// Text is the beginning of what the tester wrote.
	Text string `json:"text,omitempty"`
	// Reconciled means that no webhook came: reconcile sent what it found in the REST API.
	Reconciled bool `json:"reconciled,omitempty"`
}

// Fault is a failure, redacted.
type Fault struct {
	// Reason is that of the dead letter, "" while the delivery is still being tried.
	Reason string `json:"reason,omitempty"`
	// Stage is the step that failed.
	Stage string `json:"stage"`
	// Status is the HTTP status, 0 if there was none.
	Status int       `json:"status,omitempty"`
	Text   string    `json:"text"`
	At     time.Time `json:"at"`
}

// HeldAt reports whether somebody holds the delivery at that time. A lease that ends later
// than twice a new lease would was set by a clock that has gone back since, and is ignored.
func (e Entry) HeldAt(now time.Time) bool {
	left, set := e.LeaseUntil.Sub(now), e.LeaseUntil.Sub(e.UpdatedAt)
	return e.Owner != "" && left > 0 && left <= 2*set
}

// Progress returns how far the delivery got, as if it were not dead.
func (e Entry) Progress() State {
	if e.State == Dead {
		return e.Resume
	}
	return e.State
}

// InDoubt reports whether an announced request, for the ticket or an upload, has an unknown
// outcome, or whether a twin may have the ticket.
func (e Entry) InDoubt() bool {
	return e.State != Completed && (e.Progress() == Creating || e.Attaching != "" || e.Twin != "")
}

// Nameless reports whether Centercode has a ticket of the delivery whose id nothing can
// find out any more.
func (e Entry) Nameless() bool { return e.State == Completed && e.TicketID == "" && e.Where != nil }

// clone copies the maps and lists, so that callers cannot change the claim's.
func (e Entry) clone() Entry {
	e.Files = maps.Clone(e.Files)
	e.Attached = maps.Clone(e.Attached)
	e.Tried = slices.Clone(e.Tried)
	e.Actions = slices.Clone(e.Actions)
	return e
}
