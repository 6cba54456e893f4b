//go:build e2e

package standins

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"fairbridge/functions/lambdatest"
	centercodesim "fairbridge/pkg/centercode/simulator"
)

// TestRedrive moves dead letters back with SQS's own redrive while new feedback arrives:
// letters from the worker, and messages that the queue moved. Each becomes one ticket.
func TestRedrive(t *testing.T) {
	w := newWorld(t)
	w.ingest = lambdatest.Start(t, lambdatest.Build(t, "fairbridge/functions/ingest"), w.env).Invoke
	worker := lambdatest.Start(t, lambdatest.Build(t, "fairbridge/functions/worker"), w.env)
	w.worker = worker.Invoke
	const written, moved, fresh = 40, 20, 20
	w.centercode.Inject(centercodesim.Fault{Op: centercodesim.OpCreate, Times: -1, Status: 410,
		Match: func(c centercodesim.Call) bool { return strings.HasPrefix(fmt.Sprint(c.Fields["summary"]), "written") }})
	for i := range written {
		w.send(t, fmt.Sprintf("written %d", i))
	}
	deliver := func() { w.deliver(t) }
	eventually(t, "the worker has written its letters", deliver, func() bool { return depth(t, w.dead) == fmt.Sprint(written, "+0") })

	for i := range moved {
		w.send(t, fmt.Sprintf("moved %d", i))
	}
	eventually(t, "the queue has moved its letters", func() {
		for _, m := range receive(t, w.work) {
			if _, err := account.sqs.ChangeMessageVisibility(t.Context(), &sqs.ChangeMessageVisibilityInput{QueueUrl: &w.work, ReceiptHandle: m.ReceiptHandle}); err != nil {
				t.Fatal(err)
			}
		}
	}, func() bool { return depth(t, w.dead) == fmt.Sprint(written+moved, "+0") })

	w.centercode.Heal()
	// The destination must be named: AWS does not know the source of a message that was
	// sent to the dead-letter queue.
	_, err := account.sqs.StartMessageMoveTask(t.Context(), &sqs.StartMessageMoveTaskInput{
		SourceArn: aws.String(arn(t, w.dead)), DestinationArn: aws.String(arn(t, w.work)),
	})
	if err != nil {
		t.Fatal(err)
	}
	var sending sync.WaitGroup
	sending.Go(func() {
		for i := range fresh {
			w.send(t, fmt.Sprintf("fresh %d", i))
		}
	})
	eventually(t, "all are tickets", deliver, func() bool { return len(w.centercode.Tickets()) >= written+moved+fresh && depth(t, w.work) == "0+0" })
	sending.Wait()
	if left := depth(t, w.dead); left != "0+0" {
		t.Errorf("%s dead letters are left", left)
	}
	counts := w.summaries()
	for kind, n := range map[string]int{"written": written, "moved": moved, "fresh": fresh} {
		for i := range n {
			if made := counts[fmt.Sprint(kind, " ", i)]; made != 1 {
				t.Errorf("%s %d has %d tickets", kind, i, made)
			}
		}
	}
	if t.Failed() {
		t.Log(worker.Output())
	}
}
