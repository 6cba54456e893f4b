package sqstest

import (
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// hardBody contains what SQS must preserve: all kinds of Unicode, including U+FFFD itself,
// and the allowed control characters.
const hardBody = "{\"text\": \"äöü 漢字 🙂 \U0010FFFF \uFFFD \u0085 \\u0000\"}\t\r\n<&>'\"\\ "

func text(s string) types.MessageAttributeValue {
	return types.MessageAttributeValue{DataType: aws.String("String"), StringValue: aws.String(s)}
}

func testSendAndReceive(t *testing.T, q Queues) {
	before := time.Now()
	attributes := map[string]types.MessageAttributeValue{
		"event":      text("feedback 🙂"),
		"attempts":   {DataType: aws.String("Number"), StringValue: aws.String("3")},
		"binary.key": {DataType: aws.String("Binary.png"), BinaryValue: []byte{0, 1, 0xff}},
	}
	sent, err := q.API.SendMessage(t.Context(), &sqs.SendMessageInput{
		QueueUrl: &q.Work, MessageBody: aws.String(hardBody), MessageAttributes: attributes,
	})
	if err != nil {
		t.Fatal(err)
	}
	m := q.receive(t, q.Work)
	if aws.ToString(m.Body) != hardBody {
		t.Errorf("body %q, want %q", aws.ToString(m.Body), hardBody)
	}
	if id := aws.ToString(m.MessageId); id == "" || id != aws.ToString(sent.MessageId) {
		t.Errorf("message id %q, was sent as %q", id, aws.ToString(sent.MessageId))
	}
	sum := md5.Sum([]byte(hardBody))
	for _, got := range []*string{sent.MD5OfMessageBody, m.MD5OfBody} {
		if want := hex.EncodeToString(sum[:]); aws.ToString(got) != want {
			t.Errorf("MD5 of the body is %s, want %s", aws.ToString(got), want)
		}
	}
	if got, want := aws.ToString(m.MD5OfMessageAttributes), aws.ToString(sent.MD5OfMessageAttributes); got == "" || got != want {
		t.Errorf("MD5 of the attributes is %q, was sent with %q", got, want)
	}
	if len(m.MessageAttributes) != len(attributes) {
		t.Errorf("attributes %v", m.MessageAttributes)
	}
	for name, want := range attributes {
		got := m.MessageAttributes[name]
		if aws.ToString(got.DataType) != aws.ToString(want.DataType) || aws.ToString(got.StringValue) != aws.ToString(want.StringValue) ||
			string(got.BinaryValue) != string(want.BinaryValue) {
			t.Errorf("attribute %s is %+v, want %+v", name, got, want)
		}
	}
	if got := m.Attributes["ApproximateReceiveCount"]; got != "1" {
		t.Errorf("ApproximateReceiveCount %q", got)
	}
	for _, name := range []string{"SentTimestamp", "ApproximateFirstReceiveTimestamp"} {
		millis, err := strconv.ParseInt(m.Attributes[name], 10, 64)
		if at := time.UnixMilli(millis); err != nil || at.Sub(before).Abs() > 5*time.Minute { // clocks differ
			t.Errorf("%s is %q: %v", name, m.Attributes[name], err)
		}
	}
	if source, ok := m.Attributes["DeadLetterQueueSourceArn"]; ok {
		t.Errorf("its source is %s", source)
	}
}

func testAttributeSelection(t *testing.T, q Queues) {
	_, err := q.API.SendMessage(t.Context(), &sqs.SendMessageInput{
		QueueUrl: &q.DeadLetter, MessageBody: aws.String("x"),
		MessageAttributes: map[string]types.MessageAttributeValue{"reason": text("rejected"), "retry.at": text("noon"), "retry.count": text("3")},
	})
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		names  []string
		system []types.MessageSystemAttributeName
		want   []string
	}{
		{nil, nil, nil},
		{[]string{"reason", "none"}, nil, []string{"reason"}},
		{[]string{"retry.*"}, nil, []string{"retry.at", "retry.count"}},
		{[]string{"All"}, []types.MessageSystemAttributeName{"SentTimestamp"}, []string{"reason", "retry.at", "retry.count", "SentTimestamp"}},
	}
	for _, test := range tests {
		var m types.Message
		eventually(t, "the message is visible", func() bool {
			out, err := q.API.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{
				QueueUrl: &q.DeadLetter, MessageAttributeNames: test.names, MessageSystemAttributeNames: test.system, WaitTimeSeconds: 1,
			})
			if err != nil {
				t.Fatal(err)
			}
			if len(out.Messages) > 0 {
				m = out.Messages[0]
			}
			return len(out.Messages) > 0
		})
		if err := q.changeVisibility(t, q.DeadLetter, m, 0); err != nil {
			t.Fatal(err)
		}
		if got := len(m.MessageAttributes) + len(m.Attributes); got != len(test.want) {
			t.Errorf("asked for %q and %q, got %v and %v", test.names, test.system, m.MessageAttributes, m.Attributes)
		}
		for _, name := range test.want {
			if _, ok := m.MessageAttributes[name]; !ok && m.Attributes[name] == "" {
				t.Errorf("asked for %q and %q, got no %s", test.names, test.system, name)
			}
		}
	}
}

func testLongPollWakes(t *testing.T, q Queues) {
	const wait = 20
	type answer struct {
		out  *sqs.ReceiveMessageOutput
		err  error
		took time.Duration
	}
	answers := make(chan answer, 1)
	go func() {
		start := time.Now()
		out, err := q.API.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: &q.Work, WaitTimeSeconds: wait})
		answers <- answer{out, err, time.Since(start)}
	}()
	id := q.send(t, q.Work, "wake up")
	a := <-answers
	if a.err != nil || len(a.out.Messages) != 1 || aws.ToString(a.out.Messages[0].MessageId) != id {
		t.Fatalf("got %+v, %v", a.out, a.err)
	}
	if a.took > wait/2*time.Second {
		t.Errorf("took %v", a.took)
	}
}

func testLongPollEmpty(t *testing.T, q Queues) {
	start := time.Now()
	if m, ok := q.poll(t, q.Work, 1); ok {
		t.Errorf("got %+v", m)
	}
	if took := time.Since(start); took < 900*time.Millisecond {
		t.Errorf("waited only %v", took)
	}
}

func testDelay(t *testing.T, q Queues) {
	start := time.Now()
	_, err := q.API.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: &q.Work, MessageBody: aws.String("later"), DelaySeconds: 2})
	if err != nil {
		t.Fatal(err)
	}
	q.receive(t, q.Work)
	if took := time.Since(start); took < 1900*time.Millisecond {
		t.Errorf("received after %v", took)
	}
}

func testConcurrency(t *testing.T, q Queues) {
	const senders, each, receivers = 8, 10, 4
	var group sync.WaitGroup
	for sender := range senders {
		group.Go(func() {
			for n := range each {
				body := fmt.Sprintf("%d/%d", sender, n)
				if _, err := q.API.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: &q.Work, MessageBody: &body}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	var mu sync.Mutex
	seen := map[string]bool{}
	done := func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(seen) == senders*each
	}
	deadline := time.Now().Add(patience)
	for range receivers {
		group.Go(func() {
			for !done() && time.Now().Before(deadline) {
				out, err := q.API.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: &q.Work, MaxNumberOfMessages: 10, WaitTimeSeconds: 1})
				if err != nil {
					t.Error(err)
					return
				}
				var entries []types.DeleteMessageBatchRequestEntry
				for i, m := range out.Messages {
					entries = append(entries, types.DeleteMessageBatchRequestEntry{Id: aws.String(strconv.Itoa(i)), ReceiptHandle: m.ReceiptHandle})
				}
				if len(entries) == 0 {
					continue
				}
				deleted, err := q.API.DeleteMessageBatch(t.Context(), &sqs.DeleteMessageBatchInput{QueueUrl: &q.Work, Entries: entries})
				if err != nil || len(deleted.Failed) > 0 {
					t.Errorf("delete: %+v, %v", deleted, err)
				}
				mu.Lock()
				for _, m := range out.Messages {
					seen[aws.ToString(m.Body)] = true
				}
				mu.Unlock()
			}
		})
	}
	group.Wait()
	if !done() {
		t.Errorf("received %d of %d messages", len(seen), senders*each)
	}
}
