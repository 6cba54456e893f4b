// Command send is the floor of the ingest function: it hands the body of each
// request to SQS, with two attributes as ingest does, and does nothing else.
package main

import (
	"context"
	"net/http"
	"os"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

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
		_, err := client.SendMessage(ctx, &sqs.SendMessageInput{
			QueueUrl: queue, MessageBody: &request.Body,
			MessageAttributes: map[string]types.MessageAttributeValue{
				"deliveryId": text("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"), "event": text("feedback"),
			},
		})
		return events.APIGatewayV2HTTPResponse{StatusCode: http.StatusAccepted}, err
	})
}
