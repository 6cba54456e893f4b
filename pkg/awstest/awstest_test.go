package awstest_test

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

	"fairbridge/pkg/awstest"
	"fairbridge/pkg/embedded"
	"fairbridge/pkg/sqlitedb"
)

// changed is when the only parameter last changed.
var changed = time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC)

func getParameter(_ context.Context, in *ssm.GetParameterInput, _ ...func(*ssm.Options)) (*ssm.GetParameterOutput, error) {
	if aws.ToString(in.Name) != "/fairbridge/here" || !aws.ToBool(in.WithDecryption) {
		return nil, &ssmtypes.ParameterNotFound{Message: aws.String("nothing here")}
	}
	return &ssm.GetParameterOutput{Parameter: &ssmtypes.Parameter{
		Value: aws.String("value"), Type: ssmtypes.ParameterTypeSecureString, LastModifiedDate: &changed,
	}}, nil
}

// start returns the configuration for clients of the server, and a queue's URL.
func start(t *testing.T) (aws.Config, string) {
	t.Helper()
	file, err := sqlitedb.Open(t.Context(), filepath.Join(t.TempDir(), "queues.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	queues, err := embedded.NewSQS(embedded.SQSConfig{DB: file})
	if err != nil {
		t.Fatal(err)
	}
	url, err := queues.CreateQueue(t.Context(), embedded.Queue{Name: "work", VisibilityTimeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(awstest.Server{
		"AmazonSQS.SendMessage":             awstest.Call(queues.SendMessage),
		"AmazonSQS.ReceiveMessage":          awstest.Call(queues.ReceiveMessage),
		"AmazonSQS.DeleteMessage":           awstest.Call(queues.DeleteMessage),
		"AmazonSQS.ChangeMessageVisibility": awstest.Call(queues.ChangeMessageVisibility),
		"AmazonSSM.GetParameter":            awstest.Call(getParameter),
	})
	t.Cleanup(server.Close)
	return aws.Config{
		Region:       "eu-central-1",
		BaseEndpoint: aws.String(server.URL),
		Credentials:  credentials.NewStaticCredentialsProvider("id", "key", ""),
	}, url
}

// TestQueue sends and receives a message with the SDK's own client, which checks the MD5
// sums.
func TestQueue(t *testing.T) {
	config, url := start(t)
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
}

func TestErrorsKeepTheirType(t *testing.T) {
	config, _ := start(t)
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
	config, _ := start(t)
	client := ssm.NewFromConfig(config)
	out, err := client.GetParameter(t.Context(), &ssm.GetParameterInput{Name: aws.String("/fairbridge/here"), WithDecryption: aws.Bool(true)})
	if err != nil {
		t.Fatal(err)
	}
	if p := out.Parameter; aws.ToString(p.Value) != "value" || p.Type != ssmtypes.ParameterTypeSecureString || !aws.ToTime(p.LastModifiedDate).Equal(changed) {
		t.Errorf("parameter %+v", p)
	}
	_, err = client.GetParameter(t.Context(), &ssm.GetParameterInput{Name: aws.String("/fairbridge/gone")})
	var missing *ssmtypes.ParameterNotFound
	if !errors.As(err, &missing) {
		t.Errorf("error %v, want ParameterNotFound", err)
	}
}
