package reconcile

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"fairbridge/pkg/internal/sleep"
	"fairbridge/pkg/ledger"
	"fairbridge/pkg/testfairy"
)

// ErrWaiting means that the queue has messages that no worker has seen, any of which may be
// a feedback that seems to be missing.
var ErrWaiting = errors.New("the queue has webhooks that no worker has seen yet")

// ErrRefused is wrapped by errors of [Config.Send] that concern only one payload.
var ErrRefused = errors.New("the bridge does not take it")

// Sendable returns the items to send: missing ones and, as a backfill, unknown ones; not
// those that are certainly older than since.
func (r *Report) Sendable(since time.Time, backfill bool) (items []*Item) {
	for _, i := range r.Since(since) {
		if i.State == Missing || backfill && i.State == Unknown {
			items = append(items, i)
		}
	}
	return items
}

// Send sends the sendable items. It first records what it will send, and then reads the
// ledger again: a webhook that has arrived by then is found there, and one that arrives
// later finds the record and becomes a dead letter. The next run continues one that died,
// with the same payloads. tell is called for each item that was sent, or with the reason
// why it was not. The error is [ErrWaiting], TestFairy's, the ledger's or the webhook's:
// what was not sent by then is still missing.
func (r *Reconciler) Send(ctx context.Context, report *Report, since time.Time, backfill bool, tell func(*Item)) error {
	waiting, err := r.Waiting(ctx)
	if err != nil {
		return err
	}
	if waiting > 0 {
		return fmt.Errorf("%w: %d", ErrWaiting, waiting)
	}
	wanted := report.Sendable(since, backfill)
	groups := map[string][]*Item{}
	var likenesses []string
	for _, i := range wanted {
		if groups[i.likeness] == nil {
			likenesses = append(likenesses, i.likeness)
		}
		groups[i.likeness] = append(groups[i.likeness], i)
	}
	for _, likeness := range likenesses {
		if err := r.announce(ctx, likeness, groups[likeness]); err != nil {
			return err
		}
	}
	if err := r.judge(ctx, report); err != nil {
		return err
	}
	still := report.Sendable(since, backfill)
	for _, likeness := range likenesses {
		if err := r.send(ctx, likeness, groups[likeness], still, tell); err != nil {
			return err
		}
	}
	return nil
}

// announce records what will be sent of the feedbacks that share a likeness, unless an
// earlier run has.
func (r *Reconciler) announce(ctx context.Context, likeness string, items []*Item) error {
	if _, err := r.Ledger.Reconciled(ctx, likeness); !errors.Is(err, ledger.ErrNotFound) {
		return err
	}
	next := ledger.Reconciled{Deliveries: map[string]string{}, At: r.Now().UTC(), Payloads: map[string]json.RawMessage{}}
	for _, i := range items {
		payload, err := r.payload(ctx, i)
		if err != nil {
			return err
		}
		event, err := testfairy.Decode(payload)
		if err != nil {
			return err
		}
		next.Deliveries[i.FeedbackID], next.Payloads[i.FeedbackID] = event.DeliveryID(), event.JSON
	}
	return r.Ledger.Reconcile(ctx, likeness, next)
}

// payload builds an item's payload, with its app and device if available. Errors about
// these do not prevent sending.
func (r *Reconciler) payload(ctx context.Context, i *Item) ([]byte, error) {
	var session map[string]string
	if ids := strings.Split(i.session, "/"); len(ids) == 3 {
		if err := sleep.For(ctx, r.Pause); err != nil {
			return nil, err
		}
		session, _ = r.TestFairy.Session(ctx, ids[0], ids[1], ids[2])
	}
	return i.payload(i.app, session)
}

// send sends the items that are still missing, as recorded, and then records that all were
// sent.
func (r *Reconciler) send(ctx context.Context, likeness string, items, still []*Item, tell func(*Item)) error {
	announced, err := r.Ledger.Reconciled(ctx, likeness)
	if err != nil {
		return err
	}
	all := true
	for _, i := range items {
		payload := announced.Payloads[i.FeedbackID]
		if announced.Withdrawn(i.FeedbackID) {
			i.withdrawn()
		}
		if !slices.Contains(still, i) || payload == nil {
			all = false
			tell(i)
			continue
		}
		if err := sleep.For(ctx, r.Pause); err != nil {
			return err
		}
		err := r.Config.Send(ctx, payload)
		switch {
		case errors.Is(err, ErrRefused):
			all, i.Why = false, err.Error()
		case err != nil:
			return err
		default:
			i.Sent, i.State, i.DeliveryID = true, OnItsWay, announced.Deliveries[i.FeedbackID]
		}
		tell(i)
	}
	if !all {
		return nil // the next run continues
	}
	// What has been sent is recorded even after Ctrl-C.
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return r.Ledger.ReconcileSent(closing, likeness, announced)
}
