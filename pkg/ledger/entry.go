package ledger

import (
	"maps"
	"slices"
	"time"
)

// State says how far a delivery got.
type State string

// The states. A delivery goes from claimed to completed, or to dead from any of
// them, and from dead back to where it was when it is replayed.
const (
	// Claimed: somebody works on it, nothing was sent to Centercode.
	Claimed State = "claimed"
	// Creating: the request for the ticket may be on its way. Found with its
	// lease ended, it means that the answer was lost and that there may be a
	// ticket: it is never just sent again.
	Creating State = "creating"
	// Created: the ticket is there, attachments may be missing.
	Created State = "created"
	// Completed: nothing is left to do.
	Completed State = "completed"
	// Dead: a person has to look; the dead-letter queue has the message.
	Dead State = "dead"
)

// Known says whether s is one of the states.
func (s State) Known() bool {
	switch s {
	case Claimed, Creating, Created, Completed, Dead:
		return true
	}
	return false
}

// form is the Form of an entry that this version wrote.
const form = 1

// Entry is what the ledger remembers of one delivery. It holds no payload and
// no secret. A field that is absent has its zero value, which is always safe: a
// worker of the previous version rewrites an entry without the fields that it
// does not know.
type Entry struct {
	DeliveryID string `json:"deliveryId"`
	// Form is 0 for an entry that the previous version wrote, or has rewritten:
	// then a zero Spent says nothing.
	Form  int   `json:"form,omitempty"`
	State State `json:"state"`

	// Owner and LeaseUntil say who works on it and until when nobody else may.
	// The lease was set at UpdatedAt.
	Owner      string    `json:"owner,omitempty"`
	LeaseUntil time.Time `json:"leaseUntil,omitzero"`

	// CreatingSince is when the request for the ticket was last begun, Where
	// where it went; nil if that is not known.
	CreatingSince time.Time `json:"creatingSince,omitzero"`
	Where         *Where    `json:"where,omitempty"`
	// TicketID is Centercode's, "" if its answer did not name it.
	TicketID string `json:"ticketId,omitempty"`
	// Files are the endpoints that take the ticket's files, by file element,
	// without the API key.
	Files map[string]string `json:"files,omitempty"`
	// AnswerKeys are the keys of Centercode's answer, for the message when an
	// endpoint is missing.
	AnswerKeys []string `json:"answerKeys,omitempty"`
	// Attaching is the attachment whose upload may be on its way: the same to
	// a file as Creating is to a ticket.
	Attaching string `json:"attaching,omitempty"`
	// Attached are the attachments that Centercode has.
	Attached map[string]Attachment `json:"attached,omitempty"`

	// Twin is the delivery that reconcile sent of the same session and text: this one
	// is its webhook, or another feedback of the same words. Apart says that a person
	// has said the latter.
	Twin  string `json:"twin,omitempty"`
	Apart bool   `json:"apart,omitempty"`

	// Attempts counts how often a worker had the delivery in hand, Replays how
	// often a dead letter came back, Generation how often it became one.
	Attempts   int `json:"attempts"`
	Replays    int `json:"replays,omitempty"`
	Generation int `json:"generation,omitempty"`
	// Spent is the queue's SentTimestamp of the message that died last: a message
	// without a generation that was sent no later is an old copy.
	Spent time.Time `json:"spent,omitzero"`
	// Tried are the first nine attempts and the last nine.
	Tried []Attempt `json:"tried,omitempty"`
	// Waited sums the waits after failed attempts of its own; being held does
	// not count, and a replay starts at 0. In JSON it is nanoseconds.
	Waited time.Duration `json:"waited,omitempty"`
	// Suspect says that an attempt ended without recording a result: it may have killed its
	// worker. Alone says that the attempt in hand is the only work of its
	// worker, EndsAlone how many such attempts in a row ended without recording a result.
	Suspect   bool `json:"suspect,omitempty"`
	Alone     bool `json:"alone,omitempty"`
	EndsAlone int  `json:"endsAlone,omitempty"`
	// Actions are what people did to it, the last nine.
	Actions []Action `json:"actions,omitempty"`

	// Last is the last fault.
	Last *Fault `json:"last,omitempty"`
	// Resume is the state that a dead delivery goes on from when it is
	// replayed.
	Resume State `json:"resume,omitempty"`
	// Letter is in how many items, at most, the ledger keeps the message of the last
	// death; see [Ledger.Letter]. Of a completed delivery they are removed.
	Letter int `json:"letter,omitempty"`

	// About is what the delivery is about, for people who ask for it.
	About *About `json:"about,omitempty"`
	// Forgotten says that what tells of a person is taken out, and their letter is
	// not to be kept; see [Ledger.Forget].
	Forgotten bool `json:"forgotten,omitempty"`

	FirstSeen time.Time `json:"firstSeen"`
	UpdatedAt time.Time `json:"updatedAt"`
}

// Where is where the request for a ticket went.
type Where struct {
	// BaseURL is Centercode's address.
	BaseURL string `json:"baseUrl,omitempty"`
	Project string `json:"project,omitempty"`
	Source  string `json:"source,omitempty"`
	// Lookup is where the ticket can be found again; nil if nowhere.
	Lookup *Lookup `json:"lookup,omitempty"`
	// Denied says that Centercode itself answered that the request failed: where
	// it cannot be looked up, it is believed to have made no ticket.
	Denied bool `json:"denied,omitempty"`
	// Mapping is the hash of the mapping that made the request; see
	// [Ledger.NowRuns].
	Mapping string `json:"mapping,omitempty"`
}

// Lookup is a Centercode data package that lists tickets with their delivery id.
type Lookup struct {
	Package      string `json:"package"`
	Column       string `json:"column"`
	TicketColumn string `json:"ticketColumn,omitempty"`
	// Settle is how long after the request a ticket may still be missing there.
	Settle time.Duration `json:"settle,omitempty"`
}

// Attachment is a file that Centercode took.
type Attachment struct {
	Name  string    `json:"name"`
	Bytes int64     `json:"bytes"`
	At    time.Time `json:"at"`
}

// Attempt is one time that a worker had the delivery in hand.
type Attempt struct {
	At time.Time `json:"at"`
	// Stage and Status are the fault's; empty if there was none.
	Stage  string `json:"stage,omitempty"`
	Status int    `json:"status,omitempty"`
	// Decision is what was decided: completed, dead_letter, retry, held, or
	// silent for an attempt that ended without recording a result.
	Decision string `json:"decision"`
	// Took is how long it took, in milliseconds.
	Took int64 `json:"ms,omitempty"`
}

// The decisions of an [Attempt].
const (
	DecisionCompleted  = "completed"
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

// About is what a delivery is about. Email and Text are left out where
// ledger.remember is ids.
type About struct {
	// ReceivedAt is when the webhook came.
	ReceivedAt time.Time `json:"receivedAt,omitzero"`

	Kind    string `json:"kind,omitempty"`
	App     string `json:"app,omitempty"`
	Version string `json:"version,omitempty"`
	Build   string `json:"build,omitempty"`
	// Session is the path of the session's page.
	Session string `json:"session,omitempty"`
	Email   string `json:"email,omitempty"`
	// Text is the beginning of what the tester wrote.
	Text string `json:"text,omitempty"`
	// Reconciled says that no webhook came: reconcile sent what the REST API has.
	Reconciled bool `json:"reconciled,omitempty"`
}

// Fault is the last thing that went wrong, redacted.
type Fault struct {
	// Reason is the dead letter's, "" while the delivery is still tried.
	Reason string `json:"reason,omitempty"`
	// Stage is the step that failed.
	Stage string `json:"stage"`
	// Status is the HTTP status, 0 if there was none.
	Status int       `json:"status,omitempty"`
	Text   string    `json:"text"`
	At     time.Time `json:"at"`
}

// HeldAt says whether somebody holds the delivery at that time. A lease that ends
// later than a lease that begins now could, twice over, is one that a clock set
// which has gone back since: it holds nothing.
func (e Entry) HeldAt(now time.Time) bool {
	left, set := e.LeaseUntil.Sub(now), e.LeaseUntil.Sub(e.UpdatedAt)
	return e.Owner != "" && left > 0 && left <= 2*set
}

// Progress is how far the delivery got, as if it were not dead.
func (e Entry) Progress() State {
	if e.State == Dead {
		return e.Resume
	}
	return e.State
}

// InDoubt says whether a request is announced whose answer is not known, the one
// for the ticket or an upload, or whether a twin may have the ticket.
func (e Entry) InDoubt() bool {
	return e.State != Completed && (e.Progress() == Creating || e.Attaching != "" || e.Twin != "")
}

// Nameless says whether Centercode has a ticket of the delivery, and nothing will
// tell its id any more.
func (e Entry) Nameless() bool { return e.State == Completed && e.TicketID == "" && e.Where != nil }

// clone keeps a caller's maps and lists apart from those of the claim.
func (e Entry) clone() Entry {
	e.Files = maps.Clone(e.Files)
	e.Attached = maps.Clone(e.Attached)
	e.Tried = slices.Clone(e.Tried)
	e.Actions = slices.Clone(e.Actions)
	return e
}
