// Package reconcile finds feedbacks that TestFairy has and the bridge does not: webhooks
// that never came. It sends them through ingest, as ordinary deliveries.
//
// It is the only part of the bridge that needs TestFairy's list of feedbacks, which may be
// retired; nothing else depends on it. The list has the 100 latest, no delivery ids, and
// the times of two clocks that differ by hours. So a feedback is identified by its session
// and what was said, doubtful ones are shown and never sent, and times are only used for
// the order.
package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"fairbridge/pkg/ledger"
	"fairbridge/pkg/queue"
	"fairbridge/pkg/testfairy"
	"fairbridge/pkg/testfairy/api"
)

const (
	// tooNew is the age from which a feedback counts as missing: its webhook may be late.
	tooNew = time.Hour
	// tooOld is the age from which the ledger may have forgotten a delivery: less than
	// [ledger.RetainDone].
	tooOld = 30 * 24 * time.Hour
	// pause is the default time between two calls.
	pause = 200 * time.Millisecond
)

// Gone is the message if TestFairy no longer lists feedbacks.
const Gone = "TestFairy no longer lists feedbacks through its REST API, so lost webhooks cannot be found any more; " +
	"webhooks, tickets and dead letters do not need it and go on as before"

// History is the ledger as a whole.
type History interface {
	Search(ctx context.Context, q ledger.Query, visit func(ledger.Entry) bool) error
}

// Config configures a [Reconciler]. All fields except Pages, Pause, Now and Progress are
// required.
type Config struct {
	TestFairy *api.Client
	// Pages is the base URL of the account's session pages, such as
	// https://app.testfairy.com, for feedbacks whose screenshot does not show it.
	Pages   string
	Ledger  *ledger.Ledger
	History History
	// Waiting counts the messages of the work queue that no worker has seen yet: each may
	// be the webhook of a feedback that seems to be missing.
	Waiting func(context.Context) (int, error)
	// Send sends a payload to the bridge's webhook. It returns nil only if the bridge has
	// accepted it.
	Send func(ctx context.Context, payload []byte) error
	// Pause is the time between two calls to TestFairy or to the webhook; the default is
	// 200 ms.
	Pause time.Duration
	// Now is the clock; the default is time.Now.
	Now func() time.Time
	// Progress, if set, is called with the number of ledger records read so far when that
	// takes long.
	Progress func(looked int)
}

// Reconciler reconciles the feedbacks of one account with one bridge.
type Reconciler struct{ Config }

// New returns a reconciler. It sends nothing yet. An error is about c.
func New(c Config) (*Reconciler, error) {
	if c.TestFairy == nil || c.Ledger == nil || c.History == nil || c.Waiting == nil || c.Send == nil {
		return nil, errors.New("reconcile: config needs TestFairy, Ledger, History, Waiting and Send")
	}
	if c.Pause == 0 {
		c.Pause = pause
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Reconciler{c}, nil
}

// State is the state of a feedback that TestFairy lists.
type State string

// The states.
const (
	// Present: the delivery is completed.
	Present State = "present"
	// OnItsWay: the bridge is processing it.
	OnItsWay State = "on its way"
	// Dead: it is a dead letter.
	Dead State = "dead"
	// Dropped: a person dropped it.
	Dropped State = "dropped"
	// Missing: its webhook never came. It is sent.
	Missing State = "missing"
	// Recent: it has not come yet, and may still come.
	Recent State = "recent"
	// Unknown: the ledger cannot tell. It is sent only as a backfill.
	Unknown State = "unknown"
	// Ambiguous: a delivery may be this feedback, or a similar one. It is never sent.
	Ambiguous State = "ambiguous"
)

// States returns every state, in the order of output.
func States() []State {
	return []State{Present, OnItsWay, Dead, Dropped, Missing, Recent, Unknown, Ambiguous}
}

// Item is a feedback that TestFairy lists.
type Item struct {
	FeedbackID string `json:"feedbackId"`
	// RecordedAt is the time of TestFairy's clock, whose time zone is unknown.
	RecordedAt string `json:"recordedAt,omitempty"`
	State      State  `json:"state"`
	// Why is why it is unknown or ambiguous, or why it was not sent.
	Why        string `json:"why,omitempty"`
	DeliveryID string `json:"deliveryId,omitempty"`
	TicketID   string `json:"ticketId,omitempty"`
	From       string `json:"from,omitempty"`
	Text       string `json:"text,omitempty"`
	Session    string `json:"session,omitempty"`
	// Sent means that it was sent by this run.
	Sent bool `json:"sent,omitempty"`

	listed
}

// Report is TestFairy's list, the latest first, with the state of each feedback.
type Report struct {
	Items []*Item
	// Full means that TestFairy's list has its maximum length: there may be older ones.
	// Oldest is the time of the oldest, by TestFairy's clock.
	Full   bool
	Oldest string
	// Begins is the time of the ledger's first entry.
	Begins time.Time
}

// Since returns the items that may be from that time or later.
func (r *Report) Since(t time.Time) []*Item {
	return slices.DeleteFunc(slices.Clone(r.Items), func(i *Item) bool { return i.latest.Before(t) })
}

// Look reads TestFairy's list, and compares it with the ledger. It sends and changes
// nothing. The error wraps [api.ErrGone] if TestFairy no longer lists feedbacks.
func (r *Reconciler) Look(ctx context.Context) (*Report, error) {
	all, err := r.TestFairy.Feedbacks(ctx)
	if err != nil {
		return nil, err
	}
	report := &Report{Items: read(all, r.Pages, r.Now()), Full: len(all) >= api.MostFeedbacks}
	if n := len(report.Items); n > 0 {
		report.Oldest = report.Items[n-1].RecordedAt
	}
	return report, r.judge(ctx, report)
}

// judge compares each feedback with the ledger.
func (r *Reconciler) judge(ctx context.Context, report *Report) error {
	k := &knowledge{reconciled: map[string]ledger.Reconciled{}}
	for _, i := range report.Items {
		if _, asked := k.reconciled[i.likeness]; asked {
			continue
		}
		was, err := r.Ledger.Reconciled(ctx, i.likeness)
		if err != nil && !errors.Is(err, ledger.ErrNotFound) {
			return err
		}
		k.reconciled[i.likeness] = was
	}
	if err := r.remembered(ctx, k); err != nil {
		return err
	}
	report.Begins = k.begins
	k.judge(report.Items, r.Now())
	return nil
}

// remembered reads the ledger.
func (r *Reconciler) remembered(ctx context.Context, k *knowledge) error {
	restored, err := r.Ledger.RestoredAt(ctx)
	if err != nil {
		return err
	}
	k.begins = r.Now()
	blind := restored // time of the last delivery of which nothing is kept
	texts := false
	err = r.History.Search(ctx, ledger.Query{Consistent: true, Progress: r.Progress}, func(e ledger.Entry) bool {
		received := e.Received()
		k.begins = first(k.begins, received)
		if e.Last != nil && e.Last.Reason == string(queue.ReasonMalformed) || e.About != nil && e.About.Kind != string(testfairy.KindFeedback) {
			return true // not a feedback
		}
		d := newDelivery(e)
		if d.mute && d.session == "" {
			blind = last(blind, received)
		}
		texts = texts || !d.mute
		k.entries = append(k.entries, d)
		return true
	})
	if err != nil {
		return fmt.Errorf("look for the feedbacks in the ledger: %w", err)
	}
	k.begins = last(k.begins, blind)
	k.forgetful = len(k.entries) > 0 && !texts
	return nil
}
