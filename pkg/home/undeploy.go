package home

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"

	"fairbridge/pkg/ledger"
	"fairbridge/pkg/stack"
)

// Left is what would be lost with a stack's queues.
type Left struct {
	// Waiting counts feedbacks that are not tickets yet, Dead counts dead letters.
	Waiting, Dead int
}

// Any reports whether anything would be lost.
func (l Left) Any() bool { return l.Waiting > 0 || l.Dead > 0 }

// LeftError means that a stack was not deleted because something would be lost.
type LeftError struct{ Left Left }

// Error implements error.
func (e *LeftError) Error() string {
	return fmt.Sprintf("%d feedbacks wait, and %d are dead letters", e.Left.Waiting, e.Left.Dead)
}

// ErrNoStack means that a folder cannot be deleted in this way.
var ErrNoStack = errors.New("only a stack can be taken down")

// Left counts what would be lost with the stack's queues. The numbers are approximate: SQS
// needs up to a minute to count new messages.
func (h *Home) Left(ctx context.Context) (l Left, err error) {
	work, err := h.WorkDepth(ctx)
	if err != nil {
		return l, err
	}
	letters, err := h.Depth(ctx, h.DeadLetterQueueURL)
	if err != nil {
		return l, err
	}
	dead, err := h.Noted(ctx, ledger.AttentionPerson)
	return Left{Waiting: work.Total(), Dead: max(letters.Total(), len(dead))}, err
}

// UndeployOptions are the options of [Home.Undeploy].
type UndeployOptions struct {
	// Exported is how many dead letters were exported.
	Exported int
	// Settle is how long SQS may take to apply a policy everywhere, and to count earlier
	// messages. Patience is how long the last messages may take to become tickets, Every
	// how often that is checked.
	Settle, Patience, Every time.Duration
	// Progress is called with what is done; it may be nil.
	Progress func(string)
}

// refusing is the id of the statement that makes a queue refuse messages.
const refusing = "FairBridgeIsTakenDown"

// Undeploy deletes a stack, unless something would be lost: then the error is a
// [*LeftError], and the stack continues as before. Before the queues are deleted they
// refuse messages, so that no webhook is answered 202 and lost; a webhook that arrives then
// is answered 503. The ledger's table and the secrets are kept.
func (h *Home) Undeploy(ctx context.Context, o UndeployOptions) error {
	if h.stacks == nil {
		return ErrNoStack
	}
	if err := h.refuse(ctx, true); err != nil {
		return err
	}
	o.say("the webhook answers 503 from now on; for %s what came last is looked for", o.Settle)
	if err := h.drain(ctx, o); err != nil {
		return h.reopenAfter(ctx, err)
	}
	id, err := stack.Delete(ctx, h.stacks, h.Stack)
	if _, refused := errors.AsType[smithy.APIError](err); refused {
		return h.reopenAfter(ctx, err)
	}
	if err != nil {
		// The stack may be being deleted: nothing may be accepted that would be lost with
		// it.
		return fmt.Errorf("%w; the webhook still answers 503: %s has it take feedback again", err, h.Command("undeploy --reopen"))
	}
	o.say("the stack is being deleted, which takes minutes")
	return stack.AwaitDeletion(ctx, h.stacks, id)
}

// reopenAfter makes the queues accept messages again, even after an interrupt, and returns
// err with the result.
func (h *Home) reopenAfter(ctx context.Context, err error) error {
	return errors.Join(err, h.refuse(context.WithoutCancel(ctx), false))
}

// Reopen makes the queues of a stack accept messages again after its Undeploy was killed.
func (h *Home) Reopen(ctx context.Context) error {
	if h.stacks == nil {
		return ErrNoStack
	}
	return h.refuse(ctx, false)
}

func (o UndeployOptions) say(format string, args ...any) {
	if o.Progress != nil {
		o.Progress(fmt.Sprintf(format, args...))
	}
}

// drain waits until the queues contain only what was exported.
func (h *Home) drain(ctx context.Context, o UndeployOptions) error {
	began := time.Now()
	for {
		left, err := h.Left(ctx)
		if err != nil {
			return err
		}
		left.Dead = max(left.Dead-o.Exported, 0)
		switch lasted := time.Since(began); {
		case left.Dead > 0, left.Any() && lasted >= o.Settle+o.Patience:
			return &LeftError{left}
		case !left.Any() && lasted >= o.Settle:
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(o.Every):
		}
	}
}

// refuse makes the work queue refuse messages, or accept them again. Ingest then answers
// 503. The files queue still accepts what is on its way.
func (h *Home) refuse(ctx context.Context, on bool) error {
	out, err := h.SQS.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: &h.WorkQueueURL,
		AttributeNames: []types.QueueAttributeName{types.QueueAttributeNamePolicy, types.QueueAttributeNameQueueArn}})
	if err != nil {
		return fmt.Errorf("read the policy of %s: %w", h.WorkQueueURL, err)
	}
	policy, err := withRefusal(out.Attributes[string(types.QueueAttributeNamePolicy)], out.Attributes[string(types.QueueAttributeNameQueueArn)], on)
	if err != nil {
		return fmt.Errorf("read the policy of %s: %w", h.WorkQueueURL, err)
	}
	_, err = h.setQueueAttributes(ctx, &sqs.SetQueueAttributesInput{
		QueueUrl: &h.WorkQueueURL, Attributes: map[string]string{string(types.QueueAttributeNamePolicy): policy},
	})
	if err != nil {
		return fmt.Errorf("change the policy of %s: %w", h.WorkQueueURL, err)
	}
	return nil
}

// withRefusal returns a queue's policy with or without the statement that refuses messages;
// "" for an empty policy.
func withRefusal(policy, queueARN string, on bool) (string, error) {
	document := map[string]json.RawMessage{"Version": json.RawMessage(`"2012-10-17"`)}
	var statements []map[string]any
	if policy != "" {
		if err := json.Unmarshal([]byte(policy), &document); err != nil {
			return "", err
		}
		if err := json.Unmarshal(document["Statement"], &statements); err != nil {
			return "", err
		}
	}
	kept := []map[string]any{}
	for _, s := range statements {
		if s["Sid"] != refusing {
			kept = append(kept, s)
		}
	}
	if on {
		kept = append(kept, map[string]any{"Sid": refusing, "Effect": "Deny", "Principal": "*", "Action": "sqs:SendMessage", "Resource": queueARN})
	}
	if len(kept) == 0 {
		return "", nil
	}
	var err error
	if document["Statement"], err = json.Marshal(kept); err != nil {
		return "", err
	}
	text, err := json.Marshal(document)
	return string(text), err
}
