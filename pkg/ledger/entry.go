package ledger

import (
	"encoding/json"
	"fmt"
	"maps"
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

// Entry is what the ledger remembers of one delivery. It holds no payload and
// no secret.
type Entry struct {
	DeliveryID string `json:"deliveryId"`
	State      State  `json:"state"`

	// Owner and LeaseUntil say who works on it and until when nobody else may.
	Owner      string    `json:"owner,omitempty"`
	LeaseUntil time.Time `json:"leaseUntil,omitzero"`

	// CreatingSince is when the request for the ticket was last begun.
	CreatingSince time.Time `json:"creatingSince,omitzero"`
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

	// Attempts counts how often a worker had the delivery in hand, Replays how
	// often a dead letter came back, Generation how often it became one.
	Attempts   int `json:"attempts"`
	Replays    int `json:"replays,omitempty"`
	Generation int `json:"generation,omitempty"`

	// Last is the last fault.
	Last *Fault `json:"last,omitempty"`
	// Resume is the state that a dead delivery goes on from when it is
	// replayed.
	Resume State `json:"resume,omitempty"`

	FirstSeen time.Time `json:"firstSeen"`
	UpdatedAt time.Time `json:"updatedAt"`
}

// Attachment is a file that Centercode took.
type Attachment struct {
	Name  string    `json:"name"`
	Bytes int64     `json:"bytes"`
	At    time.Time `json:"at"`
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

// HeldAt says whether somebody holds the delivery at that time.
func (e Entry) HeldAt(now time.Time) bool {
	return e.Owner != "" && now.Before(e.LeaseUntil)
}

// clone keeps a caller's maps apart from those of the claim.
func (e Entry) clone() Entry {
	e.Files = maps.Clone(e.Files)
	e.Attached = maps.Clone(e.Attached)
	return e
}

func (e Entry) record(version int64, retain time.Duration) (Record, error) {
	doc, err := json.Marshal(e)
	if err != nil {
		return Record{}, fmt.Errorf("write ledger entry: %w", err)
	}
	return Record{
		ID:        e.DeliveryID,
		Version:   version,
		State:     string(e.State),
		ExpiresAt: e.UpdatedAt.Add(retain).UTC().Truncate(time.Second),
		Doc:       doc,
	}, nil
}

func entryOf(r Record) (Entry, error) {
	var e Entry
	if err := json.Unmarshal(r.Doc, &e); err != nil {
		return Entry{}, fmt.Errorf("read ledger entry of delivery %s: %w", r.ID, err)
	}
	return e, nil
}
