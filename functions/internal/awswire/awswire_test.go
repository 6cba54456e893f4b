package awswire_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/aws/smithy-go"

	"fairbridge/functions/internal/awswire"
	"fairbridge/pkg/embedded"
	"fairbridge/pkg/embedded/db"
)

// parameters has one parameter.
type parameters struct{}

func (parameters) GetParameter(_ context.Context, in *ssm.GetParameterInput, _ ...func(*ssm.Options)) (*ssm.GetParameterOutput, error) {
	if aws.ToString(in.Name) != "/fairbridge/here" || !aws.ToBool(in.WithDecryption) {
		return nil, &ssmtypes.ParameterNotFound{Message: aws.String("nothing here")}
	}
	return &ssm.GetParameterOutput{Parameter: &ssmtypes.Parameter{
		Value: aws.String("value"), Type: ssmtypes.ParameterTypeSecureString, LastModifiedDate: aws.Time(time.Now()),
	}}, nil
}

// start returns the server, the clients' configuration, and a queue's URL.
func start(t *testing.T) (*awswire.Server, aws.Config, string) {
	t.Helper()
	file, err := db.Open(t.Context(), filepath.Join(t.TempDir(), "queues.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	queues, err := embedded.NewSQS(t.Context(), file, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	url, err := queues.CreateQueue(t.Context(), embedded.Queue{Name: "work", VisibilityTimeout: time.Minute, Retention: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	wire := awswire.New(queues, parameters{})
	server := httptest.NewServer(wire)
	t.Cleanup(server.Close)
	return wire, aws.Config{
		Region:       "eu-central-1",
		BaseEndpoint: aws.String(server.URL),
		Credentials:  credentials.NewStaticCredentialsProvider("id", "key", ""),
	}, url
}

// TestQueue takes a message there and back through the SDK's own client, which
// checks the MD5 sums.
func TestQueue(t *testing.T) {
	wire, config, url := start(t)
	client := sqs.NewFromConfig(config)
	const body = "a <b> & \u00fc \U0001f98a"
	_, err := client.SendMessage(t.Context(), &sqs.SendMessageInput{
		QueueUrl: aws.String(url), MessageBody: aws.String(body),
		MessageAttributes: map[string]types.MessageAttributeValue{
			"text":   {DataType: aws.String("String"), StringValue: aws.String("x")},
			"number": {DataType: aws.String("Number"), StringValue: aws.String("7")},
			"binary": {DataType: aws.String("Binary"), BinaryValue: []byte{0, 255}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	out, err := client.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{
		QueueUrl: aws.String(url), MaxNumberOfMessages: 10, WaitTimeSeconds: 1,
		MessageAttributeNames: []string{"All"}, MessageSystemAttributeNames: []types.MessageSystemAttributeName{"All"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(out.Messages) != 1 || aws.ToString(out.Messages[0].Body) != body {
		t.Fatalf("messages %+v", out.Messages)
	}
	message := out.Messages[0]
	attrs := message.MessageAttributes
	if aws.ToString(attrs["text"].StringValue) != "x" || aws.ToString(attrs["number"].DataType) != "Number" ||
		string(attrs["binary"].BinaryValue) != "\x00\xff" || message.Attributes["ApproximateReceiveCount"] != "1" {
		t.Errorf("attributes %+v and %v", attrs, message.Attributes)
	}
	if _, err := client.ChangeMessageVisibility(t.Context(), &sqs.ChangeMessageVisibilityInput{
		QueueUrl: aws.String(url), ReceiptHandle: message.ReceiptHandle, VisibilityTimeout: 30,
	}); err != nil {
		t.Error(err)
	}
	if _, err := client.DeleteMessage(t.Context(), &sqs.DeleteMessageInput{QueueUrl: aws.String(url), ReceiptHandle: message.ReceiptHandle}); err != nil {
		t.Error(err)
	}
	if got := wire.Calls("AmazonSQS.DeleteMessage"); got != 1 {
		t.Errorf("%d calls of DeleteMessage, want 1", got)
	}
}

func TestErrorsKeepTheirType(t *testing.T) {
	_, config, _ := start(t)
	_, err := sqs.NewFromConfig(config).SendMessage(t.Context(), &sqs.SendMessageInput{
		QueueUrl: aws.String("https://sqs.example.com/none"), MessageBody: aws.String("x"),
	})
	var missing *types.QueueDoesNotExist
	if !errors.As(err, &missing) {
		t.Errorf("error %v, want QueueDoesNotExist", err)
	}
	_, err = sqs.NewFromConfig(config).ListQueues(t.Context(), &sqs.ListQueuesInput{})
	var unknown smithy.APIError
	if !errors.As(err, &unknown) || unknown.ErrorCode() != "UnknownOperationException" {
		t.Errorf("error %v, want UnknownOperationException", err)
	}
}

func TestParameter(t *testing.T) {
	_, config, _ := start(t)
	client := ssm.NewFromConfig(config)
	out, err := client.GetParameter(t.Context(), &ssm.GetParameterInput{Name: aws.String("/fairbridge/here"), WithDecryption: aws.Bool(true)})
	if err != nil || aws.ToString(out.Parameter.Value) != "value" {
		t.Errorf("parameter %+v, %v", out, err)
	}
	_, err = client.GetParameter(t.Context(), &ssm.GetParameterInput{Name: aws.String("/fairbridge/gone")})
	var missing *ssmtypes.ParameterNotFound
	if !errors.As(err, &missing) {
		t.Errorf("error %v, want ParameterNotFound", err)
	}
}
