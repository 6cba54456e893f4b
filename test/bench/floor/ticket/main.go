// Command ticket is the floor of the worker function: for each message it makes the calls
// that a feedback without attachments needs, in sequence, and nothing else. Bodies are as
// long as the worker's, and encoding/json reads and writes them. For a batch without
// messages it makes one call with each of its clients: the floor of a cold start.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

// The ledger's reads, of the entry and of the reconciled feedbacks, and its writes before
// and after the request for the ticket.
const (
	reads        = 2
	writesBefore = 2
	writesAfter  = 1
)

type neighbours struct {
	queue    *sqs.Client
	queueURL string
	table    *dynamodb.Client
	name     string
	tickets  string // URL
}

// value is one of the 20 values of a ledger entry.
type value struct{ Name, Value string }

type ticket struct{ Submitter, Summary, Description string }

func main() {
	key := credentials.NewStaticCredentialsProvider(os.Getenv("AWS_ACCESS_KEY_ID"), os.Getenv("AWS_SECRET_ACCESS_KEY"), os.Getenv("AWS_SESSION_TOKEN"))
	region, endpoint := os.Getenv("AWS_REGION"), aws.String(os.Getenv("AWS_ENDPOINT_URL"))
	n := &neighbours{
		queue:    sqs.New(sqs.Options{Region: region, Credentials: key, BaseEndpoint: endpoint}),
		queueURL: os.Getenv("FAIRBRIDGE_QUEUE_URL"),
		table:    dynamodb.New(dynamodb.Options{Region: region, Credentials: key, BaseEndpoint: endpoint}),
		name:     os.Getenv("FAIRBRIDGE_LEDGER_TABLE"),
		tickets:  os.Getenv("FAIRBRIDGE_CENTERCODE_BASE_URL") + "/api/v1/projects/DEMO/feedback/testfairy?apiKey=key",
	}
	lambda.Start(n.handle)
}

func (n *neighbours) handle(ctx context.Context, batch events.SQSEvent) (events.SQSEventResponse, error) {
	if len(batch.Records) == 0 {
		if err := errors.Join(n.hide(ctx, "receipt"), n.write(ctx, "none", 1)); err != nil {
			return events.SQSEventResponse{}, err
		}
	}
	for _, message := range batch.Records {
		if err := n.deliver(ctx, message); err != nil {
			return events.SQSEventResponse{}, err
		}
	}
	return events.SQSEventResponse{BatchItemFailures: []events.SQSBatchItemFailure{}}, nil
}

func (n *neighbours) deliver(ctx context.Context, message events.SQSMessage) error {
	var body struct {
		DeliveryID string
		Event      struct{ AppName, Email, Text string }
	}
	if err := json.Unmarshal([]byte(message.Body), &body); err != nil {
		return err
	}
	if err := n.hide(ctx, message.ReceiptHandle); err != nil {
		return err
	}
	for range reads {
		if err := n.read(ctx, body.DeliveryID); err != nil {
			return err
		}
	}
	for version := 1; version <= writesBefore; version++ {
		if err := n.write(ctx, body.DeliveryID, version); err != nil {
			return err
		}
	}
	if err := n.create(ctx, ticket{body.Event.Email, body.Event.Text, body.Event.AppName + strings.Repeat(" and more", 20)}); err != nil {
		return err
	}
	for version := writesBefore + 1; version <= writesBefore+writesAfter; version++ {
		if err := n.write(ctx, body.DeliveryID, version); err != nil {
			return err
		}
	}
	return nil
}

func (n *neighbours) hide(ctx context.Context, receipt string) error {
	_, err := n.queue.ChangeMessageVisibility(ctx, &sqs.ChangeMessageVisibilityInput{
		QueueUrl: &n.queueURL, ReceiptHandle: &receipt, VisibilityTimeout: 120,
	})
	return err
}

func (n *neighbours) read(ctx context.Context, id string) error {
	_, err := n.table.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: &n.name, ConsistentRead: aws.Bool(true), Key: map[string]types.AttributeValue{"id": &types.AttributeValueMemberS{Value: id}},
	})
	return err
}

func (n *neighbours) write(ctx context.Context, id string, version int) error {
	number := func(i int) types.AttributeValue { return &types.AttributeValueMemberN{Value: fmt.Sprint(i)} }
	text := func(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }
	var entry [20]value
	for i := range entry {
		entry[i] = value{"name", "some of its value"}
	}
	document, err := json.Marshal(entry)
	if err != nil {
		return err
	}
	_, err = n.table.PutItem(ctx, &dynamodb.PutItemInput{
		TableName: &n.name,
		Item: map[string]types.AttributeValue{
			"id": text(id), "version": number(version), "state": text("claimed"), "expiresAt": number(1800000000), "doc": text(string(document)),
		},
		ConditionExpression:                 aws.String("#version = :previous"),
		ExpressionAttributeNames:            map[string]string{"#version": "version"},
		ExpressionAttributeValues:           map[string]types.AttributeValue{":previous": number(version - 1)},
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	})
	return err
}

// create uses http.DefaultClient, which is acceptable only in a floor.
func (n *neighbours) create(ctx context.Context, t ticket) error {
	body, err := json.Marshal(t)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, n.tickets, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	var created struct{ ID string }
	return json.NewDecoder(response.Body).Decode(&created)
}
