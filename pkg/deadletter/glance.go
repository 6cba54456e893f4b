package deadletter

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"fairbridge/pkg/home"
	"fairbridge/pkg/ledger"
)

// Glance calls visit for dead letters until it returns false, in one pass and without
// receiving any. Every letter has a delivery id.
//
// On AWS, receiving a message hides it from others. So there the letters come from the
// ledger's entries of deliveries that wait for a person, without their payloads; those that
// SQS itself moved are missing, since the ledger does not know them.
func Glance(ctx context.Context, h *home.Home, visit func(Letter) bool) error {
	if h.Peeks != nil {
		return h.Peeks.Peek(ctx, h.DeadLetterQueueURL, func(m types.Message) bool { return visit(letterOf(m)) })
	}
	records, err := h.History.Waiting(ctx)
	if err != nil {
		return err
	}
	for _, r := range records {
		e, err := ledger.Read(r)
		if err != nil {
			return err
		}
		if !visit(entrysLetter(e, r.Since)) {
			break
		}
	}
	return nil
}
