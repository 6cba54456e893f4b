package deadletter

import (
	"context"
	"errors"
	"sync"

	"fairbridge/pkg/home"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

var (
	errFault = errors.New("connection reset by peer")
	errDied  = errors.New("the process is dead")
)

// form is a way in which a call fails.
type form string

const (
	failedCall form = "failed"                       // not carried out
	lostReply  form = "happened, reply lost"         // once; a retry gets a reply
	lostAll    form = "happened, every reply lost"   // retries get none either
	downCall   form = "failed, as do all later ones" // this call and all later ones of its kind
	partly     form = "half of its entries failed"   // once
	diedBefore form = "the process died before it"   // no later call is carried out
	diedAfter  form = "the process died right after" // likewise
)

var forms = []form{failedCall, lostReply, lostAll, downCall, partly, diedBefore, diedAfter}

// faulty makes one call fail: the n-th of a kind.
type faulty struct {
	home.Queues
	call string // such as "SendMessageBatch"
	n    int
	form form

	mu    sync.Mutex
	count map[string]int
	dead  bool
}

func through[I, O any](f *faulty, name string, in *I, carryOut func(*I) (*O, error), half func(*I) (*I, func(*O))) (*O, error) {
	f.mu.Lock()
	if f.count == nil {
		f.count = map[string]int{}
	}
	f.count[name]++
	n := f.count[name]
	hit := name == f.call && n == f.n
	again := name == f.call && n > f.n
	dead := f.dead
	f.dead = dead || hit && (f.form == diedBefore || f.form == diedAfter)
	f.mu.Unlock()
	switch {
	case dead, hit && f.form == diedBefore:
		return nil, errDied
	case hit && f.form == failedCall, (hit || again) && f.form == downCall:
		return nil, errFault
	case hit && (f.form == lostReply || f.form == diedAfter), (hit || again) && f.form == lostAll:
		_, err := carryOut(in)
		return nil, errors.Join(errFault, err)
	case hit && f.form == partly && half != nil:
		in, refuse := half(in)
		out, err := carryOut(in)
		if err == nil {
			refuse(out)
		}
		return out, err
	}
	return carryOut(in)
}

// split removes every second entry from a batch, but leaves at least one.
func split[E any](entries []E) (kept, refused []E) {
	for i, e := range entries {
		if i%2 == 1 {
			refused = append(refused, e)
		} else {
			kept = append(kept, e)
		}
	}
	return kept, refused
}

func internalFailure(id *string) types.BatchResultErrorEntry {
	return types.BatchResultErrorEntry{Id: id, Code: aws.String("InternalError"), Message: aws.String("try again")}
}

func (f *faulty) ReceiveMessage(ctx context.Context, in *sqs.ReceiveMessageInput, _ ...func(*sqs.Options)) (*sqs.ReceiveMessageOutput, error) {
	return through(f, "ReceiveMessage", in, func(in *sqs.ReceiveMessageInput) (*sqs.ReceiveMessageOutput, error) {
		return f.Queues.ReceiveMessage(ctx, in)
	}, nil)
}

func (f *faulty) GetQueueAttributes(ctx context.Context, in *sqs.GetQueueAttributesInput, _ ...func(*sqs.Options)) (*sqs.GetQueueAttributesOutput, error) {
	return through(f, "GetQueueAttributes", in, func(in *sqs.GetQueueAttributesInput) (*sqs.GetQueueAttributesOutput, error) {
		return f.Queues.GetQueueAttributes(ctx, in)
	}, nil)
}

func (f *faulty) SendMessageBatch(ctx context.Context, in *sqs.SendMessageBatchInput, _ ...func(*sqs.Options)) (*sqs.SendMessageBatchOutput, error) {
	return through(f, "SendMessageBatch", in,
		func(in *sqs.SendMessageBatchInput) (*sqs.SendMessageBatchOutput, error) {
			return f.Queues.SendMessageBatch(ctx, in)
		},
		func(in *sqs.SendMessageBatchInput) (*sqs.SendMessageBatchInput, func(*sqs.SendMessageBatchOutput)) {
			kept, refused := split(in.Entries)
			return &sqs.SendMessageBatchInput{QueueUrl: in.QueueUrl, Entries: kept}, func(out *sqs.SendMessageBatchOutput) {
				for _, e := range refused {
					out.Failed = append(out.Failed, internalFailure(e.Id))
				}
			}
		})
}

func (f *faulty) DeleteMessageBatch(ctx context.Context, in *sqs.DeleteMessageBatchInput, _ ...func(*sqs.Options)) (*sqs.DeleteMessageBatchOutput, error) {
	return through(f, "DeleteMessageBatch", in,
		func(in *sqs.DeleteMessageBatchInput) (*sqs.DeleteMessageBatchOutput, error) {
			return f.Queues.DeleteMessageBatch(ctx, in)
		},
		func(in *sqs.DeleteMessageBatchInput) (*sqs.DeleteMessageBatchInput, func(*sqs.DeleteMessageBatchOutput)) {
			kept, refused := split(in.Entries)
			return &sqs.DeleteMessageBatchInput{QueueUrl: in.QueueUrl, Entries: kept}, func(out *sqs.DeleteMessageBatchOutput) {
				for _, e := range refused {
					out.Failed = append(out.Failed, internalFailure(e.Id))
				}
			}
		})
}

func (f *faulty) ChangeMessageVisibilityBatch(ctx context.Context, in *sqs.ChangeMessageVisibilityBatchInput, _ ...func(*sqs.Options)) (*sqs.ChangeMessageVisibilityBatchOutput, error) {
	return through(f, "ChangeMessageVisibilityBatch", in,
		func(in *sqs.ChangeMessageVisibilityBatchInput) (*sqs.ChangeMessageVisibilityBatchOutput, error) {
			return f.Queues.ChangeMessageVisibilityBatch(ctx, in)
		},
		func(in *sqs.ChangeMessageVisibilityBatchInput) (*sqs.ChangeMessageVisibilityBatchInput, func(*sqs.ChangeMessageVisibilityBatchOutput)) {
			kept, refused := split(in.Entries)
			return &sqs.ChangeMessageVisibilityBatchInput{QueueUrl: in.QueueUrl, Entries: kept}, func(out *sqs.ChangeMessageVisibilityBatchOutput) {
				for _, e := range refused {
					out.Failed = append(out.Failed, internalFailure(e.Id))
				}
			}
		})
}
