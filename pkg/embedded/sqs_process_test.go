package embedded_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"fairbridge/pkg/embedded"
	"fairbridge/pkg/sqlitedb"
)

// TestEveryMessageOnce checks that with timely deletes every message is delivered exactly
// once, however many senders and receivers there are.
func TestEveryMessageOnce(t *testing.T) {
	q := openQueues(t)
	const senders, each, receivers = 16, 25, 4
	var group sync.WaitGroup
	for sender := range senders {
		group.Go(func() {
			for n := range each {
				q.send(t, q.work, fmt.Sprintf("%d/%d", sender, n))
			}
		})
	}
	var mu sync.Mutex
	seen := map[string]int{}
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	for range receivers {
		group.Go(func() {
			for ctx.Err() == nil {
				out, err := q.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: &q.work, MaxNumberOfMessages: 10, WaitTimeSeconds: 20})
				if err != nil {
					if ctx.Err() == nil {
						t.Error(err)
					}
					return
				}
				for _, m := range out.Messages {
					q.delete(t, q.work, m)
				}
				mu.Lock()
				for _, m := range out.Messages {
					seen[aws.ToString(m.Body)]++
				}
				if len(seen) == senders*each {
					stop()
				}
				mu.Unlock()
			}
		})
	}
	group.Wait()
	if len(seen) != senders*each {
		t.Errorf("received %d messages, want %d", len(seen), senders*each)
	}
	for body, n := range seen {
		if n != 1 {
			t.Errorf("%s was received %d times", body, n)
		}
	}
	q.holds(t, q.work, 0, 0, 0)
}

// TestLongPollSeesAnotherProcess uses two handles on one file for two processes.
func TestLongPollSeesAnotherProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	c := newClock()
	receiver, sender := openQueuesAt(t, path, c), openQueuesAt(t, path, c)
	waiting, got := make(chan struct{}), make(chan time.Time, 1)
	go func() {
		close(waiting)
		out, err := receiver.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: &receiver.work, WaitTimeSeconds: 20})
		if err != nil || len(out.Messages) != 1 {
			t.Errorf("got %+v, %v", out, err)
		}
		got <- time.Now()
	}()
	<-waiting
	sender.send(t, sender.work, "hello")
	sent := time.Now()
	if took := (<-got).Sub(sent); took > 5*time.Second {
		t.Errorf("took %v", took)
	} else {
		t.Logf("took %v", took)
	}
}

func TestMessagesOutliveTheProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	c := newClock()
	d, err := sqlitedb.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	s, err := embedded.NewSQS(embedded.SQSConfig{DB: d, Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	url := createQueue(t, s, embedded.Queue{Name: "work", VisibilityTimeout: time.Minute})
	old := queues{SQS: s, clock: c, work: url}
	old.send(t, url, "waiting")
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: &url, MessageBody: aws.String("late")}); !errors.Is(err, sqlitedb.ErrClosed) {
		t.Errorf("send after close: %v", err)
	}
	q := openQueuesAt(t, path, c)
	if got := aws.ToString(q.receiveOne(t, q.work).Body); got != "waiting" {
		t.Errorf("got %q", got)
	}
}

// TestReleaseInFlight checks that a restart releases messages held by the dead process, but
// does not shorten a backoff.
func TestReleaseInFlight(t *testing.T) {
	q := openQueues(t)
	for _, body := range []string{"held", "backs off", "done"} {
		q.send(t, q.work, body)
	}
	messages := q.receive(t, q.work)
	held, backsOff, done := messages[0], messages[1], messages[2]
	if err := q.hide(t, q.work, held, 2*time.Minute); err != nil { // a lease
		t.Fatal(err)
	}
	if err := q.hide(t, q.work, backsOff, time.Hour); err != nil {
		t.Fatal(err)
	}
	q.delete(t, q.work, done)
	if err := q.HandBack(t.Context(), q.work, aws.ToString(backsOff.ReceiptHandle), aws.ToString(done.ReceiptHandle)); err != nil {
		t.Fatal(err)
	}
	if _, err := q.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: &q.work, MessageBody: aws.String("delayed"), DelaySeconds: 60}); err != nil {
		t.Fatal(err)
	}

	released, err := q.ReleaseInFlight(t.Context(), q.work)
	if err != nil || released != 1 {
		t.Errorf("released %d, %v", released, err)
	}
	q.holds(t, q.work, 1, 1, 1)
	q.delete(t, q.work, held) // the dead process's handle
	if got := aws.ToString(q.receiveOne(t, q.work).Body); got != "held" {
		t.Errorf("got %q", got)
	}
}

func TestCreateQueue(t *testing.T) {
	s := openSQS(t, filepath.Join(t.TempDir(), "test.db"), time.Now)
	good := embedded.Queue{Name: "work", VisibilityTimeout: time.Minute}
	url := createQueue(t, s, good)
	good.VisibilityTimeout = 2 * time.Minute
	if again := createQueue(t, s, good); again != url {
		t.Errorf("the URL was %s, is %s", url, again)
	}
	out, err := s.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{QueueUrl: &url, AttributeNames: []types.QueueAttributeName{"VisibilityTimeout"}})
	if err != nil || out.Attributes["VisibilityTimeout"] != "120" {
		t.Errorf("got %+v, %v", out, err)
	}
	good.MaxReceiveCount, good.DeadLetterQueue = 8, "none"
	if _, err := s.CreateQueue(t.Context(), good); err == nil {
		t.Error("no error for a dead-letter queue that does not exist")
	}
}
