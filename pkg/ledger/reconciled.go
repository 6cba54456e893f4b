package ledger

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

const reconciledPrefix = "#reconciled/"

// Reconciled is what 'fairbridge reconcile' sends of the feedbacks that share a
// likeness (see testfairy.Likeness): their webhooks have not come. It is written
// down first, so that a webhook that comes after all is recognised, and so that who
// takes it up again, after a death or beside another, sends the same payloads.
type Reconciled struct {
	// Deliveries are the delivery ids, by TestFairy's id of the feedback.
	Deliveries map[string]string `json:"deliveries"`
	// At is when it was written down, SentAt when the bridge had taken all of it.
	At     time.Time `json:"at"`
	SentAt time.Time `json:"sentAt,omitzero"`
	// Payloads are what is sent, by TestFairy's id. They are kept until then; one that
	// is missing before that was withdrawn.
	Payloads map[string]json.RawMessage `json:"-"`

	version int64
}

// Withdrawn reports whether a feedback was written down and must not be sent any more.
func (r Reconciled) Withdrawn(feedbackID string) bool {
	return r.Deliveries[feedbackID] != "" && r.SentAt.IsZero() && r.Payloads[feedbackID] == nil
}

// Reconciled returns what was written down under a likeness, or [ErrNotFound].
func (l *Ledger) Reconciled(ctx context.Context, likeness string) (Reconciled, error) {
	record, err := l.store.Get(ctx, reconciledPrefix+likeness)
	r := Reconciled{version: record.Version}
	if err == nil {
		err = json.Unmarshal(record.Doc, &r)
	}
	var payloads []byte
	if err == nil && len(record.Data) > 0 {
		if payloads, err = unpack(record.Data); err == nil {
			err = json.Unmarshal(payloads, &r.Payloads)
		}
	}
	if err != nil {
		return Reconciled{}, fmt.Errorf("read what was reconciled: %w", err)
	}
	return r, nil
}

// Reconcile writes down what is sent next, unless there is something under the likeness.
// Only what is there afterwards may be sent: see [Ledger.Reconciled].
func (l *Ledger) Reconcile(ctx context.Context, likeness string, r Reconciled) error {
	r.version = 1
	record, err := l.reconciled(likeness, r)
	if err == nil {
		for range puts {
			if err = l.store.Put(ctx, record); err == nil || errors.Is(err, ErrConflict) {
				return nil // in a conflict with our own record, the reply was lost
			}
		}
	}
	return fmt.Errorf("record what is reconciled: %w", err)
}

// ReconcileSent writes down that the bridge has taken all that was to be sent.
func (l *Ledger) ReconcileSent(ctx context.Context, likeness string, r Reconciled) error {
	r.SentAt, r.Payloads = l.now().UTC(), nil
	r.version++
	record, err := l.reconciled(likeness, r)
	if err == nil {
		err = l.store.Set(ctx, record)
	}
	if err != nil {
		return fmt.Errorf("record what was reconciled: %w", err)
	}
	return nil
}

func (l *Ledger) reconciled(likeness string, r Reconciled) (Record, error) {
	doc, err := json.Marshal(r)
	var payloads, packed []byte
	if err == nil && len(r.Payloads) > 0 {
		payloads, err = json.Marshal(r.Payloads)
		packed = pack(payloads)
	}
	if err == nil && len(packed) > maxPart {
		err = errors.New("it is too long")
	}
	record := Record{
		ID: reconciledPrefix + likeness, Version: r.version, State: "reconciled", Doc: doc, Data: packed,
		ExpiresAt: expiry(l.now(), RetainDone),
	}
	if len(packed) > 0 {
		record.Attention, record.Since = AttentionUnsent, r.At
	}
	return record, err
}

// Unsent is a feedback that reconcile has written down, and not sent as far as the
// ledger knows.
type Unsent struct {
	Likeness, FeedbackID, DeliveryID string
	At                               time.Time
	Payload                          json.RawMessage
}

// Unsent returns the unsent feedbacks of the records that an index has under
// [AttentionUnsent]. Each record is read again, since the index may be a moment behind.
func (l *Ledger) Unsent(ctx context.Context, noted []Record) (all []Unsent, err error) {
	for _, record := range noted {
		likeness := strings.TrimPrefix(record.ID, reconciledPrefix)
		r, err := l.Reconciled(ctx, likeness)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return nil, err
		}
		for id, payload := range r.Payloads {
			all = append(all, Unsent{likeness, id, r.Deliveries[id], r.At, payload})
		}
	}
	return all, nil
}

// Withdraw removes a payload from what was written down, so that no later run sends it.
func (l *Ledger) Withdraw(ctx context.Context, u Unsent) error {
	var err error
	for range races {
		if err = l.withdraw(ctx, u); !errors.Is(err, ErrConflict) {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("withdraw what is to be reconciled: %w", err)
	}
	return nil
}

func (l *Ledger) withdraw(ctx context.Context, u Unsent) error {
	r, err := l.Reconciled(ctx, u.Likeness)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil || r.Payloads[u.FeedbackID] == nil {
		return err
	}
	delete(r.Payloads, u.FeedbackID)
	r.version++
	record, err := l.reconciled(u.Likeness, r)
	if err != nil {
		return err
	}
	return l.store.Put(ctx, record)
}

// ReconciledAs returns which of TestFairy's feedbacks was sent as a delivery, or
// [ErrNotFound].
func (l *Ledger) ReconciledAs(ctx context.Context, likeness, id string) (feedbackID string, err error) {
	r, err := l.Reconciled(ctx, likeness)
	for feedbackID, delivery := range r.Deliveries {
		if delivery == id {
			return feedbackID, nil
		}
	}
	return "", cmp.Or(err, ErrNotFound)
}

// TwinOf returns the delivery that was reconciled under a likeness, if id is none of
// those; "" if there is none. A delivery that was in somebody's hands before that
// does not know of it: who reconciles looks for such after it is written down.
func (l *Ledger) TwinOf(ctx context.Context, likeness, id string) (string, error) {
	r, err := l.Reconciled(ctx, likeness)
	ids := slices.Sorted(maps.Values(r.Deliveries))
	switch {
	case errors.Is(err, ErrNotFound):
		return "", nil
	case err != nil:
		return "", err
	case len(ids) == 0 || slices.Contains(ids, id):
		return "", nil
	}
	return ids[0], nil
}
