package deadletter

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"fairbridge/pkg/ledger"
)

// How often the ledger is asked: soon at first, then less and less.
const (
	firstLook = 100 * time.Millisecond
	lastLook  = 2 * time.Second
)

// Watch follows replayed deliveries in the ledger. It belongs to one replay.
type Watch struct {
	desk *Desk
	// attempts are those before the replay.
	attempts map[string]int
	// receives is how often the work queue hands a message out before it becomes
	// a dead letter by itself; 0 if that is not known.
	receives int
}

// Watch returns what follows the deliveries of a replay.
func (d *Desk) Watch(ctx context.Context) (*Watch, error) {
	receives, err := d.maxReceives(ctx)
	if err != nil {
		return nil, err
	}
	return &Watch{desk: d, attempts: map[string]int{}, receives: receives}, nil
}

// note asks how deliveries stand before they are replayed.
func (w *Watch) note(ctx context.Context, cases []Case) error {
	known, err := w.desk.entries(ctx, deliveryIDs(cases))
	for id, e := range known {
		w.attempts[id] = e.Attempts
	}
	return err
}

// maxReceives reads the work queue's redrive policy.
func (d *Desk) maxReceives(ctx context.Context) (int, error) {
	name := types.QueueAttributeNameRedrivePolicy
	out, err := d.home.SQS.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{
		QueueUrl: aws.String(d.home.WorkQueueURL), AttributeNames: []types.QueueAttributeName{name},
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

// End is how a replayed delivery ended.
type End struct {
	DeliveryID string
	// Ended is false if it had not ended in time.
	Ended bool
	// Completed says that all is done, as TicketID if its id is known.
	Completed bool
	TicketID  string
	// Tried counts the tries after which SQS itself makes it a dead letter; 0 if a
	// worker did. Fault is the last one of what is dead again.
	Tried int
	Fault ledger.Fault
}

// Follow waits until each delivery has ended, at most for so long, and returns how,
// in the order of the cases. The error is the ledger's, if it could not be asked at
// last.
func (w *Watch) Follow(ctx context.Context, cases []Case, limit time.Duration) ([]End, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	ends := make(map[string]End, len(cases))
	var err error
	pending := cases
	for pause := firstLook; len(pending) > 0; pause = min(2*pause, lastLook) {
		var left []Case
		known, lookErr := w.desk.entries(ctx, deliveryIDs(pending))
		if ctx.Err() == nil { // else it says no more than that time is up
			err = lookErr
		}
		for _, c := range pending {
			end := w.end(c, known[c.DeliveryID])
			ends[c.DeliveryID] = end
			if !end.Ended {
				left = append(left, c)
			}
		}
		if pending = left; len(pending) == 0 {
			break
		}
		w.desk.progress("ended", len(cases)-len(pending), len(cases))
		select { // to the end of the limit, unlike sleep.For
		case <-time.After(pause):
			continue
		case <-ctx.Done():
		}
		break
	}
	all := make([]End, len(cases))
	for i, c := range cases {
		all[i] = ends[c.DeliveryID]
	}
	return all, err
}

// end says how a delivery ended, if it has.
func (w *Watch) end(c Case, e ledger.Entry) End {
	end := End{DeliveryID: c.DeliveryID}
	switch {
	case e.State == ledger.Completed:
		end.Ended, end.Completed, end.TicketID = true, true, e.TicketID
	case e.State == ledger.Dead && e.Generation > c.Generation && e.Last != nil:
		end.Ended, end.Fault = true, *e.Last
	case w.receives > 0 && e.Attempts-w.attempts[c.DeliveryID] >= w.receives && !e.HeldAt(w.desk.now()) && e.Last != nil:
		end.Ended, end.Tried, end.Fault = true, w.receives, *e.Last
	}
	return end
}

func deliveryIDs(cases []Case) []string {
	ids := make([]string, len(cases))
	for i, c := range cases {
		ids[i] = c.DeliveryID
	}
	return ids
}
