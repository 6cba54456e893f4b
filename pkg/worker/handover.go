package worker

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"fairbridge/pkg/attachment"
	"fairbridge/pkg/centercode"
	"fairbridge/pkg/ledger"
	"fairbridge/pkg/queue"
)

// filesTime is how long a delivery's files may take beside the tickets of others, counted
// from its own ticket. Then the delivery goes to the files queue, whose event source
// mapping has its own concurrency.
const filesTime = 20 * time.Second

// errSlow means that a delivery's files have used their time. It replaces the error that
// they ended with, which is nobody's fault.
var errSlow = errors.New("its files take longer than " + filesTime.String() + ": they follow from the files queue")

// ofFiles reports whether a message came from the files queue.
func (h *Handler) ofFiles(m events.SQSMessage) bool {
	return h.FilesQueueURL != "" && strings.HasSuffix(m.EventSourceARN, ":"+path.Base(h.FilesQueueURL))
}

// queueURL returns the queue of the delivery's message.
func (d *delivery) queueURL() string {
	if d.out.Files {
		return d.FilesQueueURL
	}
	return d.WorkQueueURL
}

// filesTimer limits the time of a delivery's files.
type filesTimer struct {
	// sources is the context for reading the sources. It ends when the time is over.
	sources context.Context
	// giveUp is closed when the time is over; nil in the files queue, where it is the
	// invocation's.
	giveUp <-chan struct{}
	stop   func()
}

// startFiles starts the time of the delivery's files. In the files queue they have the rest
// of the invocation; what ends after that time is only the requirement to run alone: see
// [delivery.becomeAlone].
func (d *delivery) startFiles(ctx context.Context) filesTimer {
	sources, cancel := context.WithCancel(ctx)
	t := filesTimer{sources: sources, stop: cancel}
	end := cancel
	switch {
	case d.FilesQueueURL == "":
		return t
	case d.out.Files:
		end = d.accompany
	default:
		t.giveUp = sources.Done()
	}
	stop := d.after(filesTime, end)
	t.stop = func() {
		stop()
		cancel()
	}
	return t
}

// over reports whether the time is over.
func (t filesTimer) over() bool { return t.giveUp != nil && t.sources.Err() != nil }

// judge returns errSlow for an upload that ended because its time was over. ctx is the
// delivery's own, which must not have ended.
func (t filesTimer) judge(ctx context.Context, err error) error {
	if err == nil || !t.over() || ctx.Err() != nil {
		return err
	}
	var source *attachment.Error
	var api *centercode.Error
	cut := errors.Is(err, context.Canceled)
	switch {
	case errors.As(err, &source):
		cut = !attachment.IsSourceFault(err)
	case errors.As(err, &api):
		cut = api.Status == 0 && !api.Lost && !api.Final
	}
	if cut {
		return errSlow
	}
	return err
}

// accompany lets others run beside a delivery that takes long, and one that has to run
// alone beside it: waiting for a file would hold up every ticket.
func (d *delivery) accompany() {
	d.claim.Accompanied()
	d.leave()
}

// handOver sends the delivery to the files queue. The claim is released first: the copy
// must not find the delivery held. If the worker dies in between, the message comes again
// and is handed over again; the copies share the lease, and the second finds the delivery
// completed.
func (d *delivery) handOver(ctx context.Context) error {
	entry := d.claim.Entry()
	fault := ledger.Fault{Stage: string(queue.StageAttach), Text: errSlow.Error(), At: d.Now()}
	if err := d.claim.HandedOver(ctx, fault, d.didNothing); err != nil {
		return failed(queue.StageAttach, err)
	}
	_, err := d.Queue.SendMessage(ctx, &sqs.SendMessageInput{
		QueueUrl:    aws.String(d.FilesQueueURL),
		MessageBody: aws.String(d.message.Body),
		MessageAttributes: queue.HandOverAttributes(d.out.DeliveryID, string(d.out.Kind), entry.Generation,
			queue.Replays(d.message.MessageAttributes)),
	})
	if err != nil {
		return failed(queue.StageAttach, fmt.Errorf("hand the files over to the files queue: %w", err))
	}
	d.out.Result = HandedOver
	return nil
}
