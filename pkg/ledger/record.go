package ledger

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

const (
	// RetainDone is how long an entry that is at its end outlives its last
	// change: longer than the 14 days that a message can live in a queue of SQS,
	// and than a letter that was exported and is imported again within a month.
	RetainDone = 35 * 24 * time.Hour
	// RetainOpen is how long any other entry does, in a store that removes them at
	// all: whoever comes back to it after a year still finds it.
	RetainOpen = 400 * 24 * time.Hour

	// stateDropped stands in a record for a dead entry that a person gave up.
	stateDropped = "dropped"
	// AttentionPerson is the attention of what waits for a person. Each is one word,
	// since it is the key under which an index finds them.
	AttentionPerson = "person"
	// AttentionNameless is that of a completed delivery whose ticket's id is not
	// known.
	AttentionNameless = "nameless"
)

// Ended says whether a record's state is one that nothing follows: only then may
// it expire. All others wait for something.
func Ended(state string) bool { return state == string(Completed) || state == stateDropped }

// IsDelivery says whether an id is a delivery's. The ledger keeps other things as
// well, under ids that begin with #, and whoever lists deliveries skips them.
func IsDelivery(id string) bool { return !strings.HasPrefix(id, "#") }

// Read returns the entry that a record holds.
func Read(r Record) (Entry, error) {
	var e Entry
	if err := json.Unmarshal(r.Doc, &e); err != nil {
		return Entry{}, fmt.Errorf("read ledger entry of delivery %s: %w", r.ID, err)
	}
	if e.DeliveryID == "" {
		e.DeliveryID = r.ID
	}
	return e, nil
}

func (e Entry) record(version int64) (Record, error) {
	doc, err := json.Marshal(e)
	if err != nil {
		return Record{}, fmt.Errorf("write ledger entry: %w", err)
	}
	r := Record{ID: e.DeliveryID, Version: version, State: e.Standing(), Doc: doc}
	if r.State == string(Dead) {
		r.Attention, r.Since = AttentionPerson, e.UpdatedAt
		if e.Last != nil && !e.Last.At.IsZero() {
			r.Since = e.Last.At
		}
	}
	if e.Nameless() {
		r.Attention, r.Since = AttentionNameless, e.UpdatedAt
	}
	retain := RetainOpen
	if Ended(r.State) {
		retain = RetainDone
	}
	r.ExpiresAt = e.UpdatedAt.Add(retain).UTC().Truncate(time.Second)
	return r, nil
}
