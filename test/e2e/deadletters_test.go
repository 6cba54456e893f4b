//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"

	centercodesim "fairbridge/pkg/centercode/simulator"
	"fairbridge/pkg/ledger"
	"fairbridge/pkg/queue"
)

// TestRejected: a ticket that Centercode answers with 400 becomes a dead letter that
// reports it; corrected and replayed, it becomes a ticket.
func TestRejected(t *testing.T) {
	payload := bridge.feedback(t, map[string]any{"appName": "Severe", "severity": "Terrible"})
	id := bridge.accept(t, payload)
	bridge.checkLetter(t, payload, queue.DeadLetter{
		DeliveryID: id, Event: "feedback", Reason: queue.ReasonRejected, Stage: "create", Status: 400, Attempts: 1, Generation: 1,
		Description: `"severity" is not one of the form's selections`,
	})
	if n := len(bridge.tickets(id)); n != 0 {
		t.Fatalf("%d tickets", n)
	}

	if list := bridge.mustRun(t, "", "dlq", "list", "--stack", stackName, "--reason", "rejected", "--json"); !strings.Contains(list, id) {
		t.Errorf("fairbridge dlq list: %s", list)
	}
	if shown := bridge.mustRun(t, "", "dlq", "show", id, "--stack", stackName); !strings.Contains(shown, "Terrible") {
		t.Errorf("fairbridge dlq show: %s", shown)
	}
	bridge.mustRun(t, "", "dlq", "replay", id, "--stack", stackName, "--set", "severity=High", "--yes", "--wait")
	if ticket := bridge.ticket(t, id); ticket.Fields["severity"] != "High" {
		t.Errorf("the ticket has %s", ticket.Body)
	}
	// The AWS identity of whoever did it is recorded.
	history := bridge.mustRun(t, "", "show", id, "--stack", stackName)
	for _, did := range []string{"corrected severity", "replayed it"} {
		if !regexp.MustCompile(`arn:aws:\S+ ` + did).MatchString(history) {
			t.Errorf("fairbridge show does not say who %s: %s", did, history)
		}
	}
	bridge.checkNoLetters(t)
}

// TestNotFound: a ticket that Centercode answers with 404 becomes a dead letter that
// reports it; it can be dropped.
func TestNotFound(t *testing.T) {
	payload := bridge.feedback(t, map[string]any{"appName": "Elsewhere"})
	id := bridge.accept(t, payload)
	bridge.checkLetter(t, payload, queue.DeadLetter{
		DeliveryID: id, Event: "feedback", Reason: queue.ReasonNotFound, Stage: "create", Status: 404, Attempts: 1, Generation: 1,
		Description: "The requested resource could not be found.",
	})
	bridge.mustRun(t, "", "dlq", "drop", id, "--stack", stackName, "--because", "a test", "--yes")
	bridge.checkNoLetters(t)
}

// checkLetter waits for the dead letter of a payload, and compares its attributes with
// want. Its description must contain want's.
func (w *world) checkLetter(t *testing.T, payload []byte, want queue.DeadLetter) {
	t.Helper()
	letter := w.letter(t, want.DeliveryID)
	sameEvent(t, letter, payload)
	w.checkNoSecret(t, "the dead letter", fmt.Sprint(aws.ToString(letter.Body), letter.MessageAttributes))
	got := queue.ParseDeadLetter(letter.MessageAttributes)
	if !strings.Contains(got.Description, want.Description) {
		t.Errorf("the description is %q, want %q in it", got.Description, want.Description)
	}
	if age := time.Since(got.FailedAt); age < -time.Minute || age > time.Minute {
		t.Errorf("it failed at %s", got.FailedAt)
	}
	got.Description, got.FailedAt = want.Description, want.FailedAt
	if got != want {
		t.Errorf("the dead letter has\n%+v\nwant\n%+v", got, want)
	}
	if n := len(letter.MessageAttributes); n != 9 {
		t.Errorf("it has %d attributes: %q", n, slices.Sorted(maps.Keys(letter.MessageAttributes)))
	}
	eventually(t, "the ledger knows", func() bool { return w.entry(t, want.DeliveryID).State == ledger.Dead })
}

func (w *world) checkNoLetters(t *testing.T) {
	t.Helper()
	eventually(t, "no dead letters are left", func() bool { return w.depth(t, w.stack.DeadLetterQueueURL) == 0 })
	if out := w.mustRun(t, "", "dlq", "list", "--stack", stackName, "--json"); out != "" {
		t.Errorf("fairbridge dlq list: %s", out)
	}
}

// TestRedrive: a message that is received too often is moved by the queue's redrive policy,
// and continues when SQS's own redrive moves it back.
func TestRedrive(t *testing.T) {
	payload := bridge.feedback(t, nil)
	id := deliveryID(t, payload)
	bridge.centercode.Inject(centercodesim.Fault{Op: centercodesim.OpCreate, Match: creating(id), Times: -1, Status: 500})
	t.Cleanup(bridge.centercode.Heal)
	bridge.accept(t, payload)
	eventually(t, "Centercode has answered 500", func() bool { e := bridge.entry(t, id); return e.Last != nil && e.Last.Status == 500 && e.Owner == "" })

	// The worker would try for three days first, so the test allows only a few receives.
	bridge.allowReceives(t, 8)
	bridge.withoutWorker(t, func() {
		message := bridge.receiveTooOften(t, id)
		moved := bridge.letter(t, id)
		if source := moved.Attributes["DeadLetterQueueSourceArn"]; !strings.HasSuffix(source, ":"+stackName+"-work") {
			t.Errorf("its source is %q", source)
		}
		sameMessage(t, moved, message)
		// What SQS moved has no reason. The ledger learns of it by `dlq adopt`; the last
		// error is the ledger's.
		bridge.mustRun(t, "", "dlq", "adopt", "--stack", stackName)
		list := bridge.mustRun(t, "", "dlq", "list", "--stack", stackName, "--json")
		if !strings.Contains(list, `"worker_died"`) || !strings.Contains(list, `500`) {
			t.Errorf("fairbridge dlq list: %s", list)
		}

		bridge.centercode.Heal()
		bridge.redrive(t, id)
		again, found := types.Message{}, false
		eventually(t, "it is back", func() bool {
			again, found = bridge.receive(t, bridge.stack.WorkQueueURL, id)
			return found
		})
		sameMessage(t, again, moved)
	})
	bridge.ticket(t, id)
	bridge.checkNoLetters(t)
}

// allowReceives sets the work queue's maxReceiveCount for the rest of the test.
func (w *world) allowReceives(t *testing.T, times int) {
	t.Helper()
	const name = string(types.QueueAttributeNameRedrivePolicy)
	as := w.attributes(t, w.stack.WorkQueueURL)[name]
	var policy map[string]any
	if err := json.Unmarshal([]byte(as), &policy); err != nil {
		t.Fatal(err)
	}
	set := func(ctx context.Context, policy string) {
		_, err := w.sqs.SetQueueAttributes(ctx, &sqs.SetQueueAttributesInput{
			QueueUrl: &w.stack.WorkQueueURL, Attributes: map[string]string{name: policy},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	policy["maxReceiveCount"] = times
	text, err := json.Marshal(policy)
	if err != nil {
		t.Fatal(err)
	}
	set(t.Context(), string(text))
	t.Cleanup(func() { set(context.WithoutCancel(t.Context()), as) })
}

// receiveTooOften receives a delivery's message, which has been received at least once,
// until the work queue's redrive policy moves it.
func (w *world) receiveTooOften(t *testing.T, id string) (message types.Message) {
	t.Helper()
	receives := 0
	eventually(t, "the redrive policy moves it", func() bool {
		m, found := w.receive(t, w.stack.WorkQueueURL, id)
		if found {
			message, receives = m, receives+1
		}
		return w.depth(t, w.stack.DeadLetterQueueURL) == 1
	})
	if receives == 0 || receives > 7 {
		t.Fatalf("moved after %d more receives; maxReceiveCount is 8", receives)
	}
	if count := message.Attributes["ApproximateReceiveCount"]; count != "8" {
		t.Errorf("moved after %s receives, want 8", count)
	}
	return message
}

// TestRedriveOfLetter: a letter that the worker wrote can also be moved back by SQS's own
// redrive, and arrives unchanged.
func TestRedriveOfLetter(t *testing.T) {
	payload := bridge.feedback(t, nil)
	id := deliveryID(t, payload)
	bridge.centercode.Inject(centercodesim.Fault{Op: centercodesim.OpCreate, Match: creating(id), Times: 1, Status: 410})
	bridge.accept(t, payload)
	bridge.checkLetter(t, payload, queue.DeadLetter{
		DeliveryID: id, Event: "feedback", Reason: queue.ReasonRejected, Stage: "create", Status: 410, Attempts: 1, Generation: 1,
	})
	bridge.redrive(t, id)
	bridge.ticket(t, id)
	bridge.checkNoLetters(t)
}

// redrive moves a delivery's dead letter to the work queue as SQS's own redrive does. The
// emulator has no StartMessageMoveTask, so the test does the same: AWS sends the body and
// attributes as a new message.
func (w *world) redrive(t *testing.T, deliveryID string) {
	t.Helper()
	source, destination := w.arn(t, w.stack.DeadLetterQueueURL), w.arn(t, w.stack.WorkQueueURL)
	_, err := w.sqs.StartMessageMoveTask(t.Context(), &sqs.StartMessageMoveTaskInput{SourceArn: &source, DestinationArn: &destination})
	var refusal smithy.APIError
	switch {
	case err == nil:
		return
	case !errors.As(err, &refusal) || refusal.ErrorCode() != "InvalidAction":
		t.Fatal(err)
	}
	letter := w.letter(t, deliveryID)
	_, err = w.sqs.SendMessage(t.Context(), &sqs.SendMessageInput{
		QueueUrl: &w.stack.WorkQueueURL, MessageBody: letter.Body, MessageAttributes: letter.MessageAttributes,
	})
	if err != nil {
		t.Fatal(err)
	}
	w.remove(t, w.stack.DeadLetterQueueURL, letter)
}

// sameMessage compares a moved message with the original.
func sameMessage(t *testing.T, got, want types.Message) {
	t.Helper()
	if aws.ToString(got.Body) != aws.ToString(want.Body) {
		t.Errorf("the body is\n%s\nwant\n%s", aws.ToString(got.Body), aws.ToString(want.Body))
	}
	same := func(a, b types.MessageAttributeValue) bool {
		return aws.ToString(a.DataType) == aws.ToString(b.DataType) && aws.ToString(a.StringValue) == aws.ToString(b.StringValue)
	}
	if !maps.EqualFunc(got.MessageAttributes, want.MessageAttributes, same) {
		t.Errorf("the attributes are %v, want %v", got.MessageAttributes, want.MessageAttributes)
	}
}
