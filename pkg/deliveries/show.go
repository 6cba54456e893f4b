package deliveries

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"fairbridge/pkg/ledger"
	"fairbridge/pkg/preview"
	"fairbridge/pkg/queue"
)

// Shown is everything that is known about a delivery.
type Shown struct {
	Delivery
	Timeline []Event      `json:"timeline"`
	Ledger   ledger.Entry `json:"ledger"`
	// Endpoints are suggestions for an attachment's endpoint in fairbridge.yaml; see
	// [Endpoints].
	Endpoints map[string]string `json:"endpoints,omitempty"`
	// Payload is the TestFairy event of a dead letter, or of a message in a folder's work
	// queue. On a stack, a message cannot be read without receiving it.
	Payload json.RawMessage `json:"payload,omitempty"`
	// Sent is the last request for the ticket, if the payload is available.
	Sent *preview.Sent `json:"sent,omitempty"`
}

// Event is something that happened to a delivery.
type Event struct {
	At   time.Time `json:"at"`
	What string    `json:"what"`
}

// Show returns everything that is known about a delivery. The errors are those of
// [Finder.Get].
func (f *Finder) Show(ctx context.Context, id string, progress func(looked int)) (*Shown, error) {
	d, e, err := f.Get(ctx, id, progress)
	if err != nil {
		return nil, err
	}
	s := &Shown{Delivery: d, Timeline: Timeline(e), Ledger: e, Endpoints: Endpoints(e)}
	body, err := f.body(ctx, e)
	if err != nil {
		return nil, err
	}
	if envelope, err := queue.Decode(body); err == nil {
		s.Payload = envelope.Event
	}
	s.Sent, err = preview.SentOf(ctx, f.ledger, e, body)
	return s, err
}

// body returns the body of the delivery's message if that is possible without a receive,
// otherwise "".
func (f *Finder) body(ctx context.Context, e ledger.Entry) (body string, err error) {
	switch {
	case e.State == ledger.Dead:
		text, err := f.ledger.Letter(ctx, e)
		if errors.Is(err, ledger.ErrNoLetter) {
			return "", nil
		}
		var line queue.Line
		if err == nil {
			err = json.Unmarshal(text, &line)
		}
		return line.Body, err
	case e.State == ledger.Completed:
		return "", nil
	}
	err = f.home.PeekWork(ctx, func(m types.Message) bool {
		if queue.DeliveryID(aws.ToString(m.Body)) == e.DeliveryID {
			body = aws.ToString(m.Body)
		}
		return body == ""
	})
	return body, err
}

// Timeline returns what happened to a delivery, oldest first.
func Timeline(e ledger.Entry) []Event {
	var all []Event
	add := func(at time.Time, format string, args ...any) {
		if !at.IsZero() {
			all = append(all, Event{At: at.UTC(), What: fmt.Sprintf(format, args...)})
		}
	}
	if e.About != nil && e.About.Reconciled {
		add(e.Received(), "'fairbridge reconcile' sent it: its webhook had not arrived")
	} else {
		add(e.Received(), "the webhook arrived")
	}
	for _, a := range e.Tried {
		add(a.At.Add(time.Duration(a.Took)*time.Millisecond), "%s", attemptText(a))
	}
	if left := e.Attempts - len(e.Tried); len(e.Tried) >= 18 && left > 0 {
		add(e.Tried[8].At, "... %d attempts that are not remembered ...", left)
	}
	if w := e.Where; w != nil {
		add(e.CreatingSince, "the ticket was requested at %s, project %s, source %s", w.Site(), w.Project, w.Source)
	}
	for name, a := range e.Attached {
		add(a.At, "Centercode has the file %s: %s, %d bytes", name, a.Name, a.Bytes)
	}
	for _, a := range e.Actions {
		add(a.At, "%s %s", cmp.Or(a.Who, "somebody"), a.What)
	}
	slices.SortStableFunc(all, func(a, b Event) int { return a.At.Compare(b.At) })
	return all
}

// attemptText describes an attempt.
func attemptText(a ledger.Attempt) string {
	what := map[string]string{
		ledger.DecisionCompleted:  "an attempt completed it",
		ledger.DecisionHandedOver: "its files take long: they follow from the files queue",
		ledger.DecisionDeadLetter: "an attempt failed for good: it became a dead letter",
		ledger.DecisionRetry:      "an attempt failed: it is tried again",
		ledger.DecisionHeld:       "held without an attempt",
		ledger.DecisionSilent:     "an earlier attempt ended without recording a result: its worker died, or could not reach the ledger",
	}[a.Decision]
	what = cmp.Or(what, "an attempt: "+a.Decision)
	if a.Stage != "" {
		what += ", at " + a.Stage
	}
	if a.Status != 0 {
		what += fmt.Sprintf(", HTTP %d", a.Status)
	}
	if a.Took > 0 {
		what += fmt.Sprintf(" (%d ms)", a.Took)
	}
	return what
}
