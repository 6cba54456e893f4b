package sqstest

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

func testLargest(t *testing.T, q Queues) {
	largest := strings.Repeat("x", MaximumBytes)
	q.send(t, q.Work, largest)
	if m := q.receive(t, q.Work); aws.ToString(m.Body) != largest {
		t.Errorf("the largest body arrived with %d bytes", len(aws.ToString(m.Body)))
	}
	half := aws.String(largest[:MaximumBytes/2])
	out, err := q.API.SendMessageBatch(t.Context(), &sqs.SendMessageBatchInput{QueueUrl: &q.DeadLetter, Entries: []types.SendMessageBatchRequestEntry{
		{Id: aws.String("a"), MessageBody: half}, {Id: aws.String("b"), MessageBody: half},
	}})
	if err != nil || len(out.Successful) != 2 {
		t.Errorf("the largest batch: %+v, %v", out, err)
	}
}

func testTooMuch(t *testing.T, q Queues) {
	largest := strings.Repeat("x", MaximumBytes)
	attribute := map[string]types.MessageAttributeValue{"a": text("b")} // 8 bytes: 1 for the name, 6 for "String", 1 for the value
	refused := map[string]*sqs.SendMessageInput{
		"no body":                {},
		"an empty body":          {MessageBody: aws.String("")},
		"a byte too much":        {MessageBody: aws.String(largest + "x")},
		"attributes count":       {MessageBody: aws.String(largest[:MaximumBytes-7]), MessageAttributes: attribute},
		"eleven attributes":      {MessageBody: aws.String("x"), MessageAttributes: map[string]types.MessageAttributeValue{}},
		"an attribute's name":    {MessageBody: aws.String("x"), MessageAttributes: map[string]types.MessageAttributeValue{"a b": text("x")}},
		"an attribute's type":    {MessageBody: aws.String("x"), MessageAttributes: map[string]types.MessageAttributeValue{"a": {DataType: aws.String("Date"), StringValue: aws.String("x")}}},
		"an attribute's number":  {MessageBody: aws.String("x"), MessageAttributes: map[string]types.MessageAttributeValue{"a": {DataType: aws.String("Number"), StringValue: aws.String("x")}}},
		"an attribute's nothing": {MessageBody: aws.String("x"), MessageAttributes: map[string]types.MessageAttributeValue{"a": text("")}},
	}
	for i := range 11 {
		refused["eleven attributes"].MessageAttributes[fmt.Sprint("a", i)] = text("x")
	}
	for name, in := range refused {
		in.QueueUrl = &q.Work
		if _, err := q.API.SendMessage(t.Context(), in); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	_, err := q.API.SendMessageBatch(t.Context(), &sqs.SendMessageBatchInput{QueueUrl: &q.DeadLetter, Entries: []types.SendMessageBatchRequestEntry{
		{Id: aws.String("a"), MessageBody: aws.String(largest[:MaximumBytes/2])},
		{Id: aws.String("b"), MessageBody: aws.String(largest[:MaximumBytes/2+1])},
	}})
	wantCode(t, err, "BatchRequestTooLong")
}

func testCharacters(t *testing.T, q Queues) {
	for _, refused := range []string{"\x00", "\x08", "\x0b", "\x0c", "\x0e", "\x1f", "\uFFFE", "\uFFFF"} {
		_, err := q.API.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: &q.Work, MessageBody: aws.String("x" + refused)})
		var invalid *types.InvalidMessageContents
		if !errors.As(err, &invalid) {
			t.Errorf("%q: got %v, want InvalidMessageContents", refused, err)
		}
	}
}

func testRanges(t *testing.T, q Queues) {
	for name, in := range map[string]*sqs.ReceiveMessageInput{
		"MaxNumberOfMessages": {MaxNumberOfMessages: 11},
		"WaitTimeSeconds":     {WaitTimeSeconds: 21},
		"VisibilityTimeout":   {VisibilityTimeout: 43201},
		"negative":            {VisibilityTimeout: -1},
	} {
		in.QueueUrl = &q.Work
		if _, err := q.API.ReceiveMessage(t.Context(), in); err == nil {
			t.Errorf("receive with a wrong %s: no error", name)
		}
	}
	_, err := q.API.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: &q.Work, MessageBody: aws.String("x"), DelaySeconds: 901})
	wantCode(t, err)
	q.send(t, q.Work, "x")
	wantCode(t, q.changeVisibility(t, q.Work, q.receive(t, q.Work), 43201))
	_, err = q.API.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{QueueUrl: &q.Work, AttributeNames: []types.QueueAttributeName{"Color"}})
	wantCode(t, err, "InvalidAttributeName")
}
