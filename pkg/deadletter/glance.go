package deadletter

import (
	"context"
	"math"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"fairbridge/pkg/home"
	"fairbridge/pkg/ledger"
	"fairbridge/pkg/queue"
)

// Glance shows dead letters to visit, until it returns false, and changes nothing:
// none is taken in hand, so that it cannot come between somebody else and the
// letters. Every letter has a delivery id. What was shown before an error is right.
//
// On AWS, who looks at a message hides it from others, and after an interrupt it
// stays hidden for a while. So the queue is left alone and the letters are what the
// ledger has of dead deliveries, without their payloads. Those that SQS itself moved
// are missing: the ledger was not told. The scan is a read that disturbs nobody,
// costs far less than a cent, and of a very large table may not end in time.
func Glance(ctx context.Context, h *home.Home, visit func(Letter) bool) error {
	if h.Peeks != nil {
		return h.Peeks.Peek(ctx, h.DeadLetterQueueURL, func(m types.Message) bool { return visit(letterOf(m)) })
	}
	records, err := h.History.Recent(ctx, math.MaxInt32) // a part of them is better than none
	for _, r := range slices.Backward(records) {
		e, err := ledger.Read(r)
		if err != nil || e.State != ledger.Dead || e.Last == nil || e.Dropped() || !ledger.IsDelivery(r.ID) {
			continue
		}
		l := queue.DeadLetter{DeliveryID: e.DeliveryID, Reason: queue.Reason(e.Last.Reason), Description: e.Last.Text}
		if !visit(Letter{DeadLetter: l}) {
			return nil
		}
	}
	return err
}
