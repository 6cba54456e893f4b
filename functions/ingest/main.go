// Command ingest is the Lambda function behind the HTTP API: it receives TestFairy's
// webhooks and puts them on the work queue.
package main

import (
	"context"
	"log/slog"
	"os"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"fairbridge/functions/internal/env"
	"fairbridge/functions/internal/parameters"
	"fairbridge/pkg/ingest"
	"fairbridge/pkg/secrets"
	"fairbridge/pkg/telemetry"
)

func main() {
	function := env.ReadFunction(os.Getenv)
	log := telemetry.NewLogger(os.Stdout, function.Name, function.LogLevel)
	handler, err := newHandler(log)
	if err != nil {
		log.Error("ingest cannot start", "err", err)
		os.Exit(1)
	}
	lambda.Start(handler.Handle)
}

func newHandler(log *slog.Logger) (*ingest.Handler, error) {
	settings, err := env.ReadIngest(os.Getenv)
	if err != nil {
		return nil, err
	}
	stored, err := secrets.New(secrets.Config{API: parameters.New(settings.AWS), Prefix: settings.SecretsPrefix, Log: log})
	if err != nil {
		return nil, err
	}
	fetched := stored.Prefetch(context.Background(), secrets.WebhookToken)
	config, err := settings.LoadMapping()
	if err != nil {
		return nil, err
	}
	// During init the function has more of the processor than in its invocations, so TLS is
	// best set up here. And no request is in progress if Lambda freezes the function now.
	<-fetched
	return ingest.New(ingest.Config{
		QueueURL: settings.QueueURL,
		Sender:   sqs.NewFromConfig(settings.AWS),
		Secrets:  stored,
		Routes:   config,
		Reporter: telemetry.Ingest{Log: log},
	})
}
