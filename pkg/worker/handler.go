// Package worker takes deliveries from the queue to Centercode: the steps of
// one delivery, and what each failure means.
package worker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"golang.org/x/sync/semaphore"

	"fairbridge/pkg/attachment"
	"fairbridge/pkg/breaker"
	"fairbridge/pkg/centercode"
	"fairbridge/pkg/ledger"
	"fairbridge/pkg/mapping"
)

const (
	// HoldAtMost is for SQS, which keeps a message for 14 days at most: what goes
	// wrong on the last of them is not tried again in vain.
	HoldAtMost = 13 * 24 * time.Hour
	// DefaultMargin is how long before an invocation's deadline its work stops,
	// so that what is unfinished can be handed back.
	DefaultMargin = 10 * time.Second
	// createTimeout is what a ticket's request is given. It is not begun with
	// less time left: a request that is cut off is a lost answer.
	createTimeout = 30 * time.Second
	// longestClosing is what is given to write down what was done, and then to
	// settle the message, if there is time.
	longestClosing = 10 * time.Second
)

// Queue is what the worker needs of SQS. *sqs.Client satisfies it, and so does
// pkg/embedded. SendMessage returns nil only when the message is durable.
type Queue interface {
	SendMessage(context.Context, *sqs.SendMessageInput, ...func(*sqs.Options)) (*sqs.SendMessageOutput, error)
	ChangeMessageVisibility(context.Context, *sqs.ChangeMessageVisibilityInput, ...func(*sqs.Options)) (*sqs.ChangeMessageVisibilityOutput, error)
}

// Mapper turns an event into the request that Centercode gets.
// [*mapping.Config] satisfies it.
type Mapper interface {
	Map(mapping.Input) (mapping.Request, error)
}

// Centercode makes tickets. [*centercode.Client] satisfies it; its errors are
// [*centercode.Error] and [*centercode.SourceError].
type Centercode interface {
	CreateTicket(context.Context, centercode.CreateRequest) (centercode.Ticket, error)
	AddFile(context.Context, centercode.FileRequest) (int64, error)
	FindTicket(context.Context, centercode.Lookup) (id string, found bool, err error)
	// CheckEndpoint says why no file would be sent to an endpoint.
	CheckEndpoint(endpoint string) error
	// Probe asks whether it is well; nothing is changed.
	Probe(context.Context, centercode.ProbeRequest) error
}

// Sources opens attachments where they are. [*attachment.Fetcher] satisfies it;
// its errors are [*attachment.Error].
type Sources interface {
	Open(context.Context, attachment.OpenRequest) (*attachment.File, error)
}

// Secrets reads the Centercode API key. *secrets.Store satisfies it. Fresh reads
// it again unless what is known is younger than maxAge.
type Secrets interface {
	Get(ctx context.Context, name string) (string, error)
	Fresh(ctx context.Context, name string, maxAge time.Duration) (string, error)
}

// Config is all that a [Handler] works with. Every field up to the URLs
// is needed.
type Config struct {
	// Mapping is the one that the handler begins with; see [Handler.Use].
	Mapping  Mapping
	Ledger   *ledger.Ledger
	Breaker  *breaker.Breaker
	Secrets  Secrets
	Queue    Queue
	Reporter Reporter
	Now      func() time.Time

	WorkQueueURL, DeadLetterQueueURL string
	// FilesQueueURL is where a delivery goes whose files take long, so that no other
	// one's ticket has to wait for them. Its messages come one a batch. "" for none:
	// files have all of an invocation's time.
	FilesQueueURL string

	// HoldAtMost is how old a message may become that is put back: an older one
	// becomes a dead letter, before the queue forgets it. 0 is for a queue that
	// keeps its messages for ever.
	HoldAtMost time.Duration

	// Margin is how long before its deadline an invocation stops working; 0
	// means [DefaultMargin].
	Margin time.Duration

	// Uploads is how many files may be on their way at once; 0 means one a delivery.
	Uploads int
}

// Handler is the worker's Lambda handler. Between invocations it keeps no more
// than what the breaker counts, and several may run at once.
type Handler struct {
	Config
	// mapping is the one that deliveries are begun with.
	mapping atomic.Pointer[Mapping]
	// room is where deliveries are worked on: all beside each other, or one alone.
	room *semaphore.Weighted
	// uploads bounds the files on their way; nil for as many as there are deliveries.
	uploads *semaphore.Weighted
	// after is time.AfterFunc, but in tests.
	after func(time.Duration, func()) (stop func() bool)
}

// New checks c and returns the handler.
func New(c Config) (*Handler, error) {
	switch {
	case c.Ledger == nil, c.Breaker == nil, c.Secrets == nil, c.Queue == nil, c.Reporter == nil, c.Now == nil:
		return nil, errors.New("worker: a part is missing from its configuration")
	case c.WorkQueueURL == "":
		return nil, errors.New("worker: no URL of the work queue")
	case c.DeadLetterQueueURL == "":
		return nil, errors.New("worker: no URL of the dead-letter queue")
	case c.Margin < 0:
		return nil, fmt.Errorf("worker: a margin of %s", c.Margin)
	case c.Uploads < 0:
		return nil, fmt.Errorf("worker: %d uploads at once", c.Uploads)
	}
	c.Margin = cmp.Or(c.Margin, DefaultMargin)
	h := &Handler{Config: c, room: semaphore.NewWeighted(everybody), after: func(d time.Duration, f func()) func() bool {
		return time.AfterFunc(d, f).Stop
	}}
	if c.Uploads > 0 {
		h.uploads = semaphore.NewWeighted(int64(c.Uploads))
	}
	if err := h.Use(c.Mapping); err != nil {
		return nil, err
	}
	return h, nil
}

// Handle delivers a batch, its records side by side, and names those that the
// queue must deliver again. It never returns an error, which would fail the
// whole batch, and its list is never null, which some emulators refuse.
// https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
func (h *Handler) Handle(ctx context.Context, batch events.SQSEvent) (events.SQSEventResponse, error) {
	shared := &gate{}
	outcomes := make([]Outcome, len(batch.Records))
	var records sync.WaitGroup
	for i, message := range batch.Records {
		records.Go(func() {
			outcomes[i] = h.deliver(ctx, shared, message)
			if outcomes[i].Result != Held {
				h.Reporter.Report(ctx, outcomes[i])
			}
		})
	}
	records.Wait()
	for _, held := range gather(outcomes) {
		h.Reporter.Report(ctx, held)
	}

	response := events.SQSEventResponse{BatchItemFailures: []events.SQSBatchItemFailure{}}
	for i, o := range outcomes {
		if o.Result == Retry || o.Result == HandedBack || o.Result == Held {
			response.BatchItemFailures = append(response.BatchItemFailures,
				events.SQSBatchItemFailure{ItemIdentifier: batch.Records[i].MessageId})
		}
	}
	return response, nil
}

// working bounds a delivery's work, so that time is left to hand it back.
func (h *Handler) working(ctx context.Context) (context.Context, context.CancelFunc) {
	if deadline, ok := ctx.Deadline(); ok {
		return context.WithDeadline(ctx, deadline.Add(-h.Margin))
	}
	return context.WithCancel(ctx)
}

// closing is for what has to be written down after the work, even if the work
// was cut off. Two of them may follow each other and leave a third of the margin
// to the reply, so each gets half of what is left but for that. It is short only
// where time is: a write that is given up on a slow disk leaves a ticket in doubt
// and a lease that nobody holds.
func (d *delivery) closing(ctx context.Context) (context.Context, context.CancelFunc) {
	long := longestClosing
	if left, limited := d.left(); limited {
		long = min(long, (left+d.Margin-d.Margin/3)/2)
	}
	return context.WithTimeout(context.WithoutCancel(ctx), max(long, d.Margin/3))
}
