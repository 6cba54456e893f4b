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

// policies is what is called of SQS to have a queue refuse messages.
type policies interface {
	SetQueueAttributes(context.Context, *sqs.SetQueueAttributesInput, ...func(*sqs.Options)) (*sqs.SetQueueAttributesOutput, error)
}

// Left is what would be lost with a stack's queues.
type Left struct {
	// Waiting are feedbacks that are no tickets yet, Dead are dead letters.
	Waiting, Dead int
}

// Any says whether anything would be lost.
func (l Left) Any() bool { return l.Waiting > 0 || l.Dead > 0 }

// LeftError says that a stack was not taken down.
type LeftError struct{ Left Left }

// Error implements error.
func (e *LeftError) Error() string {
	return fmt.Sprintf("%d feedbacks wait, and %d are dead letters", e.Left.Waiting, e.Left.Dead)
}

// ErrNoStack says that a folder cannot be taken down.
var ErrNoStack = errors.New("only a stack can be taken down")

// Left counts what would be lost with the stack's queues. Approximately: SQS needs
// up to a minute to count what was just sent.
func (h *Home) Left(ctx context.Context) (l Left, err error) {
	work, err := h.WorkDepth(ctx)
	if err != nil {
		return l, err
	}
	letters, err := h.Depth(ctx, h.DeadLetterQueueURL)
	if err != nil {
		return l, err
	}
	dead, err := h.noted(ctx, ledger.AttentionPerson)
	return Left{Waiting: work.Total(), Dead: max(letters.Total(), len(dead))}, err
}

// UndeployOptions say how a stack is taken down.
type UndeployOptions struct {
	// Exported is how many dead letters are kept elsewhere.
	Exported int
	// Settle is how long SQS may need to obey a policy everywhere, and to count
	// what was sent before. Patience is how long what came last may need to become
	// a ticket, Every how often that is looked at.
	Settle, Patience, Every time.Duration
	// Progress is told what is done; it may be nil.
	Progress func(string)
}

// refusing is the statement that keeps a queue from taking anything.
const refusing = "FairBridgeIsTakenDown"

// Undeploy takes a stack down, unless something would be lost: then it is a
// [*LeftError], and the stack goes on as before. Before the queues are deleted they
// refuse to take more, so that no webhook is answered 202 and lost; a webhook that
// comes then is answered 503. The ledger's table and the secrets stay.
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
		// Perhaps it is being deleted: nothing may be accepted that would go with it.
		return fmt.Errorf("%w; the webhook still answers 503: %s has it take feedback again", err, h.Command("undeploy --reopen"))
	}
	o.say("the stack is being deleted, which takes minutes")
	return stack.AwaitDeletion(ctx, h.stacks, id)
}

// reopenAfter is err, with what becomes of having the queues take messages again:
// also where somebody has lost patience.
func (h *Home) reopenAfter(ctx context.Context, err error) error {
	return errors.Join(err, h.refuse(context.WithoutCancel(ctx), false))
}

// Reopen has the queues of a stack take messages again whose Undeploy was killed.
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

// drain waits until nothing is in the queues but what is kept elsewhere.
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

// refuse has the work queue refuse what is sent to it, or take it again. Ingest
// answers 503 to what cannot be queued. The files queue takes what is on its way.
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
	_, err = h.policies.SetQueueAttributes(ctx, &sqs.SetQueueAttributesInput{
		QueueUrl: &h.WorkQueueURL, Attributes: map[string]string{string(types.QueueAttributeNamePolicy): policy},
	})
	if err != nil {
		return fmt.Errorf("change the policy of %s: %w", h.WorkQueueURL, err)
	}
	return nil
}

// withRefusal is a queue's policy with the statement that refuses messages, or
// without it; "" if there is nothing in it.
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
