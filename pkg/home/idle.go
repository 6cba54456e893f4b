package home

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// idleTimeout bounds the check whether anybody processes the queue, which must not delay
// the caller.
const idleTimeout = 5 * time.Second

// Mappings is the part of Lambda in use.
type Mappings interface {
	ListEventSourceMappings(context.Context, *lambda.ListEventSourceMappingsInput, ...func(*lambda.Options)) (*lambda.ListEventSourceMappingsOutput, error)
}

// Idle returns why nobody processes the work queue, and what to do; "" if somebody does. In
// a folder that is a bridge that does not run, on a stack an event source mapping that is
// not enabled.
func (h *Home) Idle(ctx context.Context) (why string, err error) {
	if h.mappings == nil {
		if answers(ctx, h.Webhook()) {
			return "", nil
		}
		return "no bridge runs in this folder, so it waits: " + h.Command("run"), nil
	}
	ctx, cancel := context.WithTimeout(ctx, idleTimeout)
	defer cancel()
	queue, err := h.SQS.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{
		QueueUrl: aws.String(h.WorkQueueURL), AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameQueueArn},
	})
	if err != nil {
		return "", fmt.Errorf("ask whether the worker gets messages: %w", err)
	}
	out, err := h.mappings.ListEventSourceMappings(ctx, &lambda.ListEventSourceMappingsInput{
		EventSourceArn: aws.String(queue.Attributes[string(types.QueueAttributeNameQueueArn)]),
	})
	if err != nil {
		return "", fmt.Errorf("ask whether the worker gets messages (lambda:ListEventSourceMappings): %w", err)
	}
	why = "the work queue has no event source mapping, so it waits: deploy the stack again"
	for _, m := range out.EventSourceMappings {
		// https://docs.aws.amazon.com/lambda/latest/api/API_EventSourceMappingConfiguration.html
		switch state := aws.ToString(m.State); state {
		case "Disabled", "Disabling", "Deleting":
			why = fmt.Sprintf("the worker's event source mapping is %s, so it waits: aws lambda update-event-source-mapping --uuid %s --enabled",
				state, aws.ToString(m.UUID))
		default:
			return "", nil
		}
	}
	return why, nil
}
