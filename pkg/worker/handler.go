// Package worker delivers messages from the queue to Centercode: the steps of one delivery,
// and what each failure means.
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
	// HoldAtMost is for SQS, which keeps a message for at most 14 days: a message that is
	// this old is not retried any more.
	HoldAtMost = 13 * 24 * time.Hour
	// DefaultMargin is how long before an invocation's deadline its work stops, so that
	// unfinished deliveries can be handed back.
	DefaultMargin = 10 * time.Second
	// createTimeout is the timeout of a ticket's request. It is not started with less time
	// left: a request that is cut off is a lost answer.
	createTimeout = 30 * time.Second
	// longestClosing bounds recording what was done, and then settling the message, if
	// there is that much time.
	longestClosing = 10 * time.Second
)

// Queue is the part of SQS in use. *sqs.Client implements it, and so does pkg/embedded.
// SendMessage returns nil only if the message is durable.
type Queue interface {
	SendMessage(context.Context, *sqs.SendMessageInput, ...func(*sqs.Options)) (*sqs.SendMessageOutput, error)
	ChangeMessageVisibility(context.Context, *sqs.ChangeMessageVisibilityInput, ...func(*sqs.Options)) (*sqs.ChangeMessageVisibilityOutput, error)
}

// Mapper turns an event into the request for Centercode. [*mapping.Config] implements it.
type Mapper interface {
	Map(mapping.Input) (mapping.Request, error)
}

// Centercode creates tickets. [*centercode.Client] implements it; its errors are
// [*centercode.Error] and [*centercode.SourceError].
type Centercode interface {
	CreateTicket(context.Context, centercode.CreateRequest) (centercode.Ticket, error)
	AddFile(context.Context, centercode.FileRequest) (int64, error)
	FindTicket(context.Context, centercode.Lookup) (id string, found bool, err error)
	// CheckEndpoint returns why an endpoint would not be sent files.
	CheckEndpoint(endpoint string) error
	// Probe asks whether Centercode is responding; it changes nothing.
	Probe(context.Context, centercode.ProbeRequest) error
}

// Sources opens attachments. [*attachment.Fetcher] implements it; its errors are
// [*attachment.Error].
type Sources interface {
	Open(context.Context, attachment.OpenRequest) (*attachment.File, error)
}

// Secrets reads the Centercode API key. *secrets.Store implements it. Fresh reads it again
// unless the cached one is younger than maxAge.
type Secrets interface {
	Get(ctx context.Context, name string) (string, error)
	Fresh(ctx context.Context, name string, maxAge time.Duration) (string, error)
}

// Config configures a [Handler]. Every field up to the URLs is required.
type Config struct {
	// Mapping is the initial mapping; see [Handler.Use].
	Mapping  Mapping
	Ledger   *ledger.Ledger
	Breaker  *breaker.Breaker
	Secrets  Secrets
	Queue    Queue
	Reporter Reporter
	Now      func() time.Time

	WorkQueueURL, DeadLetterQueueURL string
	// FilesQueueURL is the queue for deliveries with slow files, so that no other ticket
	// has to wait for them. Its messages come one at a time. If it is "", files have all of
	// an invocation's time.
	FilesQueueURL string

	// HoldAtMost is the maximum age of a message that is put back: an older one becomes a
	// dead letter, before the queue deletes it. 0 is for a queue that keeps its messages
	// for ever.
	HoldAtMost time.Duration

	// Margin is how long before its deadline an invocation stops working; the default is
	// [DefaultMargin].
	Margin time.Duration

	// Uploads is how many files may be uploaded at once; the default is one for each
	// delivery.
	Uploads int
}

// Handler is the worker's Lambda handler. Between invocations it keeps only the breaker's
// counts. Several invocations may run at once.
type Handler struct {
	Config
	// mapping is the one for new deliveries.
	mapping atomic.Pointer[Mapping]
	// room is where deliveries run: all beside each other, or one alone.
	room *semaphore.Weighted
	// uploads limits concurrent uploads; nil for no limit.
	uploads *semaphore.Weighted
	// after is time.AfterFunc, except in tests.
	after func(time.Duration, func()) (stop func() bool)
}

// New validates c and returns the handler.
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

// Handle delivers the records of a batch concurrently, and returns those that the queue
// must deliver again. It never returns an error, which would fail the whole batch, and its
// list is never null, which some emulators refuse. See
// https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
func (h *Handler) Handle(ctx context.Context, batch events.SQSEvent) (events.SQSEventResponse, error) {
	shared := &gate{}
	outcomes := make([]Outcome, len(batch.Records))
	deliver := func(i int) {
		outcomes[i] = h.deliver(ctx, shared, batch.Records[i])
		if outcomes[i].Result != Held {
			h.Reporter.Report(ctx, outcomes[i])
		}
	}
	var records sync.WaitGroup
	for i := range batch.Records {
		if i < len(batch.Records)-1 {
			records.Go(func() { deliver(i) })
			continue
		}
		// The last one, mostly the only one, runs here: the SDK's calls nest deeply, and a new
		// goroutine's stack has to be copied several times until they fit.
		deliver(i)
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

// working limits a delivery's work, so that time is left to hand it back.
func (h *Handler) working(ctx context.Context) (context.Context, context.CancelFunc) {
	if deadline, ok := ctx.Deadline(); ok {
		return context.WithDeadline(ctx, deadline.Add(-h.Margin))
	}
	return context.WithCancel(ctx)
}

// closing returns a context for what has to be recorded after the work, even if the work
// was cut off. Two of these may follow each other and have to leave a third of the margin
// for the response, so each gets half of the rest. It is short only if time is: giving up a
// write on a slow disk leaves a ticket in doubt and a lease that nobody uses.
func (d *delivery) closing(ctx context.Context) (context.Context, context.CancelFunc) {
	long := longestClosing
	if left, limited := d.left(); limited {
		long = min(long, (left+d.Margin-d.Margin/3)/2)
	}
	return context.WithTimeout(context.WithoutCancel(ctx), max(long, d.Margin/3))
}
