// Command hello is the floor of a Lambda function in Go: aws-lambda-go and a
// handler that does nothing.
package main

import (
	"context"

	"github.com/aws/aws-lambda-go/lambda"
)

func main() {
	lambda.Start(func(context.Context) (string, error) { return "hello", nil })
}
