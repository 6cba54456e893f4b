package deadletter_test

import (
	"context"
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"fairbridge/pkg/deadletter"
	"fairbridge/pkg/home"
)

// unreceived is a queue on which receives fail.
type unreceived struct{ home.Queues }

func (unreceived) ReceiveMessage(context.Context, *sqs.ReceiveMessageInput, ...func(*sqs.Options)) (*sqs.ReceiveMessageOutput, error) {
	return nil, errors.New("received")
}

// TestLook checks that looking receives nothing. On a stack it shows what the ledger knows
// and only counts other letters; in a folder it shows those too.
func TestLook(t *testing.T) {
	inBothHomes(t, func(t *testing.T, o *fixture) {
		o.die(rejected(t, 1))
		o.die(rejected(t, 2))
		o.put(rejected(t, 3))
		stack := o.home.Peeks == nil
		o.home.SQS = unreceived{o.home.SQS}
		o.reopen(deadletter.Config{})
		for _, tt := range []struct {
			query         deadletter.Query
			folder, onAWS []string
		}{
			{deadletter.Query{}, []string{idOf(1), idOf(2), idOf(3)}, []string{idOf(1), idOf(2)}},
			{deadletter.Query{Filter: deadletter.Filter{IDs: []string{idOf(2)[:6]}}}, []string{idOf(2)}, []string{idOf(2)}},
		} {
			tt.query.Payloads, tt.query.Bodies = true, true
			in, err := o.Look(t.Context(), tt.query)
			o.must(err)
			want, absent, deliveries := tt.folder, 0, 3
			if stack {
				want, absent, deliveries = tt.onAWS, 1, 2
			}
			if in.Hold != nil || in.Absent != absent || in.Deliveries != deliveries || len(in.Cases) != len(want) {
				t.Fatalf("found %+v; want %v of %d, and %d absent", in, want, deliveries, absent)
			}
			for i, c := range in.Cases {
				if c.DeliveryID != want[i] || c.Submitter() != ann || c.Body == "" || c.Reason != "rejected" || c.Status != 400 {
					t.Errorf("case %d is %+v", i, c)
				}
			}
		}
	})
}
