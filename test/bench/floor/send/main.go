// Command send is the floor of the ingest function: it sends the body of each request to
// SQS, in a message as long as ingest's with two attributes, and responds as ingest does.
// It does not parse the body.
package main

import (
	"context"
	"net/http"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

const id = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func main() {
	client := sqs.New(sqs.Options{
		Region:       os.Getenv("AWS_REGION"),
		Credentials:  credentials.NewStaticCredentialsProvider(os.Getenv("AWS_ACCESS_KEY_ID"), os.Getenv("AWS_SECRET_ACCESS_KEY"), os.Getenv("AWS_SESSION_TOKEN")),
		BaseEndpoint: aws.String(os.Getenv("AWS_ENDPOINT_URL")),
	})
	queue := aws.String(os.Getenv("FAIRBRIDGE_QUEUE_URL"))
	text := func(s string) types.MessageAttributeValue {
		return types.MessageAttributeValue{DataType: aws.String("String"), StringValue: aws.String(s)}
	}
	lambda.Start(func(ctx context.Context, request events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
		received := time.Now().UTC().Format(time.RFC3339Nano)
		_, err := client.SendMessage(ctx, &sqs.SendMessageInput{
			QueueUrl: queue, MessageBody: aws.String(`{"version":1,"deliveryId":"` + id + `","receivedAt":"` + received + `","event":` + request.Body + `}`),
			MessageAttributes: map[string]types.MessageAttributeValue{"deliveryId": text(id), "event": text("feedback")},
		})
		return events.APIGatewayV2HTTPResponse{
			StatusCode: http.StatusAccepted, Body: `{"deliveryId":"` + id + `"}`,
			Headers: map[string]string{"Content-Type": "application/json", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"},
		}, err
	})
}
