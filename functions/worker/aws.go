package main

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

// The AWS calls that the worker makes with the SDK's clients. With GetParameter (package
// parameters) they are all that its IAM policy has to allow.
//
// They are functions instead of the SDK's clients to keep the binary small. Because
// text/template calls methods by name, the linker keeps every method of every type that is
// converted to an interface: for the clients more than 200 operations, a quarter of the
// binary.
type (
	sendMessage             func(context.Context, *sqs.SendMessageInput, ...func(*sqs.Options)) (*sqs.SendMessageOutput, error)
	changeMessageVisibility func(context.Context, *sqs.ChangeMessageVisibilityInput, ...func(*sqs.Options)) (*sqs.ChangeMessageVisibilityOutput, error)
	putItem                 func(context.Context, *dynamodb.PutItemInput, ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error)
	deleteItem              func(context.Context, *dynamodb.DeleteItemInput, ...func(*dynamodb.Options)) (*dynamodb.DeleteItemOutput, error)
	getItem                 func(context.Context, *dynamodb.GetItemInput, ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error)
)

func (f sendMessage) SendMessage(ctx context.Context, in *sqs.SendMessageInput, o ...func(*sqs.Options)) (*sqs.SendMessageOutput, error) {
	return f(ctx, in, o...)
}

func (f changeMessageVisibility) ChangeMessageVisibility(ctx context.Context, in *sqs.ChangeMessageVisibilityInput, o ...func(*sqs.Options)) (*sqs.ChangeMessageVisibilityOutput, error) {
	return f(ctx, in, o...)
}

func (f putItem) PutItem(ctx context.Context, in *dynamodb.PutItemInput, o ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error) {
	return f(ctx, in, o...)
}

func (f getItem) GetItem(ctx context.Context, in *dynamodb.GetItemInput, o ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error) {
	return f(ctx, in, o...)
}

func (f deleteItem) DeleteItem(ctx context.Context, in *dynamodb.DeleteItemInput, o ...func(*dynamodb.Options)) (*dynamodb.DeleteItemOutput, error) {
	return f(ctx, in, o...)
}

type queueAPI struct {
	sendMessage
	changeMessageVisibility
}

type tableAPI struct {
	putItem
	getItem
	deleteItem
}

func newQueue(c aws.Config) queueAPI {
	client := sqs.NewFromConfig(c)
	return queueAPI{client.SendMessage, client.ChangeMessageVisibility}
}

func newTable(c aws.Config) tableAPI {
	client := dynamodb.NewFromConfig(c)
	return tableAPI{client.PutItem, client.GetItem, client.DeleteItem}
}
