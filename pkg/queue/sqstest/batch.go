package sqstest

import (
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

func testBatch(t *testing.T, q Queues) {
	sent, err := q.API.SendMessageBatch(t.Context(), &sqs.SendMessageBatchInput{QueueUrl: &q.DeadLetter, Entries: []types.SendMessageBatchRequestEntry{
		{Id: aws.String("good"), MessageBody: aws.String("one"), MessageAttributes: map[string]types.MessageAttributeValue{"reason": text("rejected")}},
		{Id: aws.String("bad"), MessageBody: aws.String("nul \x00")},
		{Id: aws.String("good-2"), MessageBody: aws.String("two")},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if len(sent.Successful) != 2 || len(sent.Failed) != 1 {
		t.Fatalf("got %+v", sent)
	}
	if f := sent.Failed[0]; aws.ToString(f.Id) != "bad" || !f.SenderFault || aws.ToString(f.Code) == "" {
		t.Errorf("failed: id %q, code %q, sender's fault %v", aws.ToString(f.Id), aws.ToString(f.Code), f.SenderFault)
	}
	ids := map[string]string{} // message id -> entry id
	for _, s := range sent.Successful {
		ids[aws.ToString(s.MessageId)] = aws.ToString(s.Id)
	}
	messages := map[string]types.Message{}
	for len(messages) < 2 {
		m := q.receive(t, q.DeadLetter)
		messages[ids[aws.ToString(m.MessageId)]] = m
	}
	if got := aws.ToString(messages["good"].MessageAttributes["reason"].StringValue); aws.ToString(messages["good"].Body) != "one" || got != "rejected" {
		t.Errorf("good is %+v", messages["good"])
	}

	hidden, err := q.API.ChangeMessageVisibilityBatch(t.Context(), &sqs.ChangeMessageVisibilityBatchInput{
		QueueUrl: &q.DeadLetter, Entries: []types.ChangeMessageVisibilityBatchRequestEntry{
			{Id: aws.String("a"), ReceiptHandle: messages["good"].ReceiptHandle, VisibilityTimeout: 600},
			{Id: aws.String("b"), ReceiptHandle: aws.String("garbage"), VisibilityTimeout: 600},
		},
	})
	if err != nil || len(hidden.Successful) != 1 || aws.ToString(hidden.Successful[0].Id) != "a" ||
		len(hidden.Failed) != 1 || aws.ToString(hidden.Failed[0].Id) != "b" || !hidden.Failed[0].SenderFault {
		t.Errorf("change visibility: %+v, %v", hidden, err)
	}
	deleted, err := q.API.DeleteMessageBatch(t.Context(), &sqs.DeleteMessageBatchInput{
		QueueUrl: &q.DeadLetter, Entries: []types.DeleteMessageBatchRequestEntry{
			{Id: aws.String("a"), ReceiptHandle: messages["good"].ReceiptHandle},
			{Id: aws.String("b"), ReceiptHandle: aws.String("garbage")},
		},
	})
	if err != nil || len(deleted.Successful) != 1 || aws.ToString(deleted.Successful[0].Id) != "a" ||
		len(deleted.Failed) != 1 || aws.ToString(deleted.Failed[0].Id) != "b" || !deleted.Failed[0].SenderFault {
		t.Errorf("delete: %+v, %v", deleted, err)
	}
}

func testBatchErrors(t *testing.T, q Queues) {
	eleven := make([]string, 11)
	for i := range eleven {
		eleven[i] = "id" + strconv.Itoa(i)
	}
	tests := []struct {
		ids  []string
		code string
	}{
		{[]string{}, "EmptyBatchRequest"},
		{eleven, "TooManyEntriesInBatchRequest"},
		{[]string{"a", "b", "a"}, "BatchEntryIdsNotDistinct"},
		{[]string{"a", "b c"}, "InvalidBatchEntryId"},
		{[]string{strings.Repeat("a", 81)}, "InvalidBatchEntryId"},
	}
	for _, test := range tests {
		t.Run(test.code, func(t *testing.T) {
			send := []types.SendMessageBatchRequestEntry{}
			change := []types.ChangeMessageVisibilityBatchRequestEntry{}
			remove := []types.DeleteMessageBatchRequestEntry{}
			for _, id := range test.ids {
				send = append(send, types.SendMessageBatchRequestEntry{Id: &id, MessageBody: aws.String("x")})
				change = append(change, types.ChangeMessageVisibilityBatchRequestEntry{Id: &id, ReceiptHandle: aws.String("x")})
				remove = append(remove, types.DeleteMessageBatchRequestEntry{Id: &id, ReceiptHandle: aws.String("x")})
			}
			_, err := q.API.SendMessageBatch(t.Context(), &sqs.SendMessageBatchInput{QueueUrl: &q.Work, Entries: send})
			wantCode(t, err, test.code)
			_, err = q.API.ChangeMessageVisibilityBatch(t.Context(), &sqs.ChangeMessageVisibilityBatchInput{QueueUrl: &q.Work, Entries: change})
			wantCode(t, err, test.code)
			_, err = q.API.DeleteMessageBatch(t.Context(), &sqs.DeleteMessageBatchInput{QueueUrl: &q.Work, Entries: remove})
			wantCode(t, err, test.code)
		})
	}
	if m, ok := q.poll(t, q.Work, 1); ok {
		t.Errorf("a refused batch sent %+v", m)
	}
}
