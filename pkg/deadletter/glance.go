package deadletter

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"fairbridge/pkg/home"
	"fairbridge/pkg/ledger"
)

// Glance shows dead letters to visit, until it returns false, in one look and without
// taking one in hand. Every letter has a delivery id.
//
// On AWS, who looks at a message hides it from others. So the letters are what the
// ledger has of deliveries that wait for a person, without their payloads; those that
// SQS itself moved are missing, since the ledger was not told.
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
