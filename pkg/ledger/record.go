package ledger

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

const (
	// RetainDone is how long a finished entry is kept after its last change: longer than
	// the 14 days that SQS keeps a message, and longer than an exported letter is usually
	// away before its import.
	RetainDone = 35 * 24 * time.Hour
	// RetainOpen is how long any other entry is kept by a store that expires entries.
	RetainOpen = 400 * 24 * time.Hour

	// stateDropped is a record's state for a dead entry that a person dropped.
	stateDropped = "dropped"
	// AttentionPerson is the attention of a delivery that waits for a person. Attentions
	// are single words, since they are the key of an index.
	AttentionPerson = "person"
	// AttentionNameless is the attention of a completed delivery whose ticket id is
	// unknown.
	AttentionNameless = "nameless"
	// AttentionUnsent is that of what reconcile has written down and not sent yet.
	AttentionUnsent = "unsent"
)

// Ended reports whether a record's state is final: only then may it expire.
func Ended(state string) bool { return state == string(Completed) || state == stateDropped }

// IsDelivery reports whether an id is that of a delivery. Other records of the ledger have
// ids that start with #; code that lists deliveries skips them.
func IsDelivery(id string) bool { return !strings.HasPrefix(id, "#") }

// Read returns the entry in a record.
func Read(r Record) (Entry, error) {
	if r.entry != nil {
		return *r.entry, nil
	}
	var e Entry
	if err := json.Unmarshal(r.Doc, &e); err != nil {
		return Entry{}, fmt.Errorf("read ledger entry of delivery %s: %w", r.ID, err)
	}
	if e.DeliveryID == "" {
		e.DeliveryID = r.ID
	}
	return e, nil
}

// ReadAll returns the entries in records.
func ReadAll(records []Record) (all []Entry, err error) {
	for _, r := range records {
		e, err := Read(r)
		if err != nil {
			return nil, err
		}
		all = append(all, e)
	}
	return all, nil
}

func (e Entry) record(version int64) (Record, error) {
	doc, err := json.Marshal(e)
	if err != nil {
		return Record{}, fmt.Errorf("write ledger entry: %w", err)
	}
	r := Record{ID: e.DeliveryID, Version: version, State: e.Standing(), Doc: doc, entry: &e}
	if r.State == string(Dead) {
		r.Attention, r.Since = AttentionPerson, e.WaitsSince()
	}
	if e.Nameless() {
		r.Attention, r.Since = AttentionNameless, e.UpdatedAt
	}
	retain := RetainOpen
	if Ended(r.State) {
		retain = RetainDone
	}
	r.ExpiresAt = expiry(e.UpdatedAt, retain)
	return r, nil
}

// WaitsSince returns since when a dead delivery has been waiting for a person, in whole
// milliseconds.
func (e Entry) WaitsSince() time.Time {
	since := e.UpdatedAt
	if e.Last != nil && !e.Last.At.IsZero() {
		since = e.Last.At
	}
	return since.UTC().Truncate(time.Millisecond)
}

func expiry(from time.Time, retain time.Duration) time.Time {
	return from.Add(retain).UTC().Truncate(time.Second)
}
