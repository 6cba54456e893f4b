package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"os/exec"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"golang.org/x/sync/errgroup"

	"fairbridge/pkg/deadletter"
	"fairbridge/pkg/embedded"
	"fairbridge/pkg/queue"
	"fairbridge/pkg/testfairy"
)

// replaying measures how `fairbridge dlq replay` moves all dead letters to the work queue.
// The floor makes the same calls, with ten batches in parallel as the SDK's transport
// allows, but does not hold, inspect or report anything.
var replaying = experiment{
	name: "dead letters",
	figures: []figure{
		{Key: "dlq.replay", What: "dead letters replayed, embedded home", Unit: "1/s", Floor: "bare receive, send, delete in batches", Must: atLeastTimes(0.8)},
	},
	open: func(tb testing.TB, l *lab) round {
		binary := l.build(tb, "fairbridge/cmd/fairbridge", "")
		return func(tb testing.TB) []sample {
			n := l.scale.letters
			floor, subject := l.deadHome(tb, n), l.deadHome(tb, n)
			perSecond := func(d time.Duration) float64 { return float64(n) / d.Seconds() }
			bare, own := move(tb, floor, n), replay(tb, binary, subject, n)
			return []sample{{perSecond(own), perSecond(bare)}}
		}
	},
}

// deadHome returns the folder of a new home with n dead letters.
func (l *lab) deadHome(tb testing.TB, n int) string {
	folder := tb.TempDir()
	home := openHome(tb, folder)
	addLetters(tb, home, deadLetters(tb, l, n))
	closeHome(tb, home)
	return folder
}

func openHome(tb testing.TB, folder string) *embedded.Home {
	home, err := embedded.Open(tb.Context(), embedded.Config{Folder: folder, Getenv: homeEnvironment})
	if err != nil {
		tb.Fatal(err)
	}
	return home
}

func closeHome(tb testing.TB, home *embedded.Home) {
	if err := home.Close(); err != nil {
		tb.Fatal(err)
	}
}

func addLetters(tb testing.TB, home *embedded.Home, letters []deadletter.Letter) {
	q := &deadletter.Queue{API: home.SQS, URL: home.DeadLetterQueueURL, WorkURL: home.WorkQueueURL}
	q.Add(tb.Context(), letters, func(_ deadletter.Letter, err error) {
		if err != nil {
			tb.Error(err)
		}
	})
}

// replay replays all n dead letters of a home with the command.
func replay(tb testing.TB, binary, folder string, n int) time.Duration {
	began := time.Now()
	out, err := exec.CommandContext(tb.Context(), binary, "dlq", "replay", "--all", "--yes", "--data", folder).CombinedOutput()
	took := time.Since(began)
	if err != nil {
		tb.Fatalf("fairbridge dlq replay: %v\n%s", err, out)
	}
	home := openHome(tb, folder)
	defer closeHome(tb, home)
	waiting, err := home.SQS.GetQueueAttributes(tb.Context(), &sqs.GetQueueAttributesInput{
		QueueUrl: &home.WorkQueueURL, AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameApproximateNumberOfMessages},
	})
	if err != nil {
		tb.Fatal(err)
	}
	if got := waiting.Attributes[string(types.QueueAttributeNameApproximateNumberOfMessages)]; got != strconv.Itoa(n) {
		tb.Fatalf("%s of %d dead letters were replayed\n%s", got, n, out)
	}
	return took
}

// move moves all n dead letters of a home to the work queue.
func move(tb testing.TB, folder string, n int) time.Duration {
	const lanes = 10 // the number of connections that the SDK keeps open to a host
	var moved atomic.Int64
	var group errgroup.Group
	began := time.Now()
	home := openHome(tb, folder)
	for range lanes {
		group.Go(func() error {
			for moved.Load() < int64(n) {
				batch, err := moveBatch(tb.Context(), home)
				if err != nil {
					return err
				}
				moved.Add(int64(batch))
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		tb.Fatal(err)
	}
	closeHome(tb, home)
	return time.Since(began)
}

func moveBatch(ctx context.Context, home *embedded.Home) (n int, err error) {
	received, err := home.SQS.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
		QueueUrl: &home.DeadLetterQueueURL, MaxNumberOfMessages: 10, VisibilityTimeout: 300, MessageAttributeNames: []string{"All"},
	})
	if err != nil || len(received.Messages) == 0 {
		return 0, err
	}
	send := &sqs.SendMessageBatchInput{QueueUrl: &home.WorkQueueURL}
	remove := &sqs.DeleteMessageBatchInput{QueueUrl: &home.DeadLetterQueueURL}
	for i, m := range received.Messages {
		id := aws.String(strconv.Itoa(i))
		send.Entries = append(send.Entries, types.SendMessageBatchRequestEntry{Id: id, MessageBody: m.Body, MessageAttributes: m.MessageAttributes})
		remove.Entries = append(remove.Entries, types.DeleteMessageBatchRequestEntry{Id: id, ReceiptHandle: m.ReceiptHandle})
	}
	if _, err := home.SQS.SendMessageBatch(ctx, send); err != nil {
		return 0, err
	}
	_, err = home.SQS.DeleteMessageBatch(ctx, remove)
	return len(received.Messages), err
}

// deadLetters returns letters of different feedbacks that Centercode rejected.
func deadLetters(tb testing.TB, l *lab, n int) []deadletter.Letter {
	letters := make([]deadletter.Letter, n)
	for i, payload := range l.feedbacks(tb, n) {
		sum := sha256.Sum256(payload) // in place of the delivery id, and computed much faster
		id := hex.EncodeToString(sum[:])
		body, err := queue.Envelope{DeliveryID: id, ReceivedAt: time.Now(), Event: payload}.Encode()
		if err != nil {
			tb.Fatal(err)
		}
		letters[i] = deadletter.Letter{Body: body, DeadLetter: queue.DeadLetter{
			Reason: queue.ReasonRejected, Stage: "create", Status: http.StatusBadRequest, Description: "The submitter is not a user of the project.",
			DeliveryID: id, Event: string(testfairy.KindFeedback), Attempts: 1, FailedAt: time.Now(), Generation: 1,
		}}
	}
	return letters
}
