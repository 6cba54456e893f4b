package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"fairbridge/pkg/ledger"
	"fairbridge/pkg/terminal"
)

// How often the ledger is asked: soon at first, then less and less.
const (
	firstLook = 100 * time.Millisecond
	lastLook  = 2 * time.Second
)

// watch follows replayed deliveries in the ledger.
type watch struct {
	*desk
	// attempts are those before the replay.
	attempts map[string]int
	// receives is how often the work queue hands a message out before it becomes
	// a dead letter by itself; 0 if that is not known.
	receives int
}

func (d *desk) newWatch(ctx context.Context) (*watch, error) {
	receives, err := d.maxReceives(ctx)
	if err != nil {
		return nil, err
	}
	return &watch{desk: d, attempts: map[string]int{}, receives: receives}, nil
}

// note asks how deliveries stand before they are replayed.
func (w *watch) note(ctx context.Context, cases []letterCase) error {
	known, err := w.entries(ctx, deliveryIDs(cases))
	for id, e := range known {
		w.attempts[id] = e.Attempts
	}
	return err
}

// maxReceives reads the work queue's redrive policy.
func (d *desk) maxReceives(ctx context.Context) (int, error) {
	name := types.QueueAttributeNameRedrivePolicy
	out, err := d.target.SQS.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{
		QueueUrl: aws.String(d.target.WorkQueueURL), AttributeNames: []types.QueueAttributeName{name},
	})
	if err != nil {
		return 0, fmt.Errorf("read the work queue's redrive policy: %w", err)
	}
	var policy struct {
		MaxReceives json.Number `json:"maxReceiveCount"` // a number, or one in quotes
	}
	if json.Unmarshal([]byte(out.Attributes[string(name)]), &policy) != nil {
		return 0, nil
	}
	n, _ := policy.MaxReceives.Int64()
	return int(n), nil
}

// follow waits until each delivery has ended, and writes how, in the order of
// the cases. It returns whether all of them are completed.
func (w *watch) follow(ctx context.Context, cases []letterCase, limit time.Duration) (good bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	said := make(map[string]string, len(cases))
	good = true
	pending := cases
	for pause := firstLook; len(pending) > 0; pause = min(2*pause, lastLook) {
		var left []letterCase
		known, lookErr := w.entries(ctx, deliveryIDs(pending))
		for _, c := range pending {
			text, completed, ended := w.end(c, known[c.DeliveryID])
			if ended {
				said[c.DeliveryID] = text
				good = good && completed
				continue
			}
			left = append(left, c)
		}
		if pending = left; len(pending) == 0 {
			break
		}
		w.meter.show("ended", len(cases)-len(pending), len(cases))
		if !sleep(ctx, pause) {
			good, err = false, lookErr
			break
		}
	}
	w.meter.clear()
	for _, c := range pending {
		said[c.DeliveryID] = "has not ended yet"
	}
	var b strings.Builder
	for _, c := range cases {
		fmt.Fprintf(&b, "%s  %s\n", shortID(c.DeliveryID), said[c.DeliveryID])
	}
	if _, writeErr := fmt.Fprint(w.std.out, b.String()); writeErr != nil {
		return false, writeErr
	}
	if ctx.Err() != nil {
		return false, nil // said above, and no fault of the ledger's
	}
	return good, err
}

// end says how a delivery ended, if it has.
func (w *watch) end(c letterCase, e ledger.Entry) (text string, completed, ended bool) {
	switch {
	case e.State == ledger.Completed && e.TicketID == "":
		return "completed", true, true
	case e.State == ledger.Completed:
		return "completed, ticket " + terminal.Printable(e.TicketID), true, true
	case e.State == ledger.Dead && e.Generation > c.Generation && e.Last != nil:
		return "dead again: " + faultText(*e.Last), false, true
	case w.receives > 0 && e.Attempts-w.attempts[c.DeliveryID] >= w.receives && !e.HeldAt(time.Now()) && e.Last != nil:
		return fmt.Sprintf("tried %s, SQS makes it a dead letter again: %s", terminal.Count(w.receives, "time"), faultText(*e.Last)), false, true
	}
	return "", false, false
}

func deliveryIDs(cases []letterCase) []string {
	ids := make([]string, len(cases))
	for i, c := range cases {
		ids[i] = c.DeliveryID
	}
	return ids
}

// sleep waits, and says whether the context still runs.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
