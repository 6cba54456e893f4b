package deadletter

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"fairbridge/pkg/ledger"
	"fairbridge/pkg/preview"
	"fairbridge/pkg/queue"
	"fairbridge/pkg/terminal"
)

// Retention is how long SQS keeps a letter after its message was sent.
const Retention = 14 * 24 * time.Hour

// Shown is everything that is known about a dead letter.
type Shown struct {
	Letter  Record          `json:"letter"`
	Advice  Advice          `json:"advice"`
	Payload json.RawMessage `json:"payload,omitempty"`
	// Message is the body of a message without a payload.
	Message string `json:"message,omitempty"`
	// Request is what a replay would send; nil without a mapping.
	Request *Request `json:"request,omitempty"`
	// Sent is the last request that was sent, by the mapping that built it; nil if there
	// was none, or it is unknown.
	Sent   *preview.Sent `json:"sent,omitempty"`
	Ledger *ledger.Entry `json:"ledger,omitempty"`
}

// Show returns everything that is known about the letter with that id, or with an id that
// starts with it. The filter has that id. check may be nil, and then there is no request.
// The letter is not received.
func (d *Manager) Show(ctx context.Context, filter Filter, check *preview.Checker) (*Shown, error) {
	c, err := d.one(ctx, Query{Filter: filter, Payloads: true, Bodies: true})
	if err != nil {
		return nil, err
	}
	known, err := d.entries(ctx, []string{c.DeliveryID})
	if err != nil {
		return nil, err
	}
	shown := &Shown{Letter: c.Record()}
	entry, ok := known[c.DeliveryID]
	if ok {
		shown.Ledger = &entry
	}
	shown.Advice = AdviceFor(c.Letter, shown.Ledger)
	if e, err := queue.Decode(c.Body); err == nil {
		shown.Payload = e.Event
	} else {
		shown.Message = c.Body
	}
	if shown.Sent, err = preview.SentOf(ctx, d.ledger, entry, c.Body); err != nil {
		return nil, err
	}
	if check != nil && shown.Payload != nil {
		request := Preview(check, c.Letter, entry)
		shown.Request = &request
	}
	return shown, nil
}

// one looks at the letter with the filter's id.
func (d *Manager) one(ctx context.Context, w Query) (Case, error) {
	in, err := d.Look(ctx, w)
	if err != nil {
		return Case{}, err
	}
	missing, err := in.Missing(w.Filter.IDs)
	if err != nil {
		return Case{}, err
	}
	if len(missing) > 0 {
		return Case{}, d.NoLetter(ctx, missing[0], in)
	}
	return in.Cases[0], nil
}

// NoLetter returns an error that says that a selection has no such letter, and what the
// ledger knows about the delivery.
func (d *Manager) NoLetter(ctx context.Context, id string, in *Selection) error {
	what := "there is no dead letter " + id
	switch {
	case in.Absent > 0 && in.Hold == nil:
		what += fmt.Sprintf(" that the ledger knows; the queue counts %s more ('%s')", terminal.Count(in.Absent, "letter"), d.home.Command("dlq adopt"))
	case in.Absent > 0:
		what += fmt.Sprintf(" among those that the queue hands out; it counts %s more", terminal.Count(in.Absent, "letter"))
	}
	if e, err := d.ledger.Entry(ctx, strings.ToLower(id)); err == nil { // it needs the complete id
		what += "; in the ledger: " + endOf(e)
	}
	return errors.New(what)
}

// endOf describes how far a delivery got.
func endOf(e ledger.Entry) string {
	text := string(e.State)
	if e.TicketID != "" {
		text += ", ticket " + terminal.Printable(e.TicketID)
	}
	if e.Last != nil && e.State != ledger.Completed {
		text += ": " + FaultText(*e.Last)
	}
	if e.ReplayedSince() {
		text += "; it was replayed since, and waits for a worker"
	}
	return text
}

// FaultText formats a fault as one line.
func FaultText(f ledger.Fault) string {
	text := cmp.Or(f.Reason, "a retry") + " at " + f.Stage
	if f.Status != 0 {
		text += fmt.Sprintf(" (HTTP %d)", f.Status)
	}
	return text + ": " + terminal.Printable(f.Text)
}
