// Command worker is the Lambda function that delivers feedback to Centercode.
package main

import (
	"context"
	"log/slog"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"fairbridge/functions/internal/env"
	"fairbridge/functions/internal/parameters"
	"fairbridge/pkg/breaker"
	"fairbridge/pkg/secrets"
	"fairbridge/pkg/telemetry"
	"fairbridge/pkg/worker"
)

func main() {
	function := env.ReadFunction(os.Getenv)
	function.TuneGC()
	log := telemetry.NewLogger(os.Stdout, function.Name, function.LogLevel)
	handler, err := newHandler(log)
	if err != nil {
		log.Error("worker cannot start", "err", err)
		os.Exit(1)
	}
	lambda.Start(handler.Handle)
}

func newHandler(log *slog.Logger) (*worker.Handler, error) {
	settings, err := env.ReadWorker(os.Getenv)
	if err != nil {
		return nil, err
	}
	stored, err := secrets.New(secrets.Config{API: parameters.New(settings.AWS), Prefix: settings.SecretsPrefix, Log: log})
	if err != nil {
		return nil, err
	}
	fetched := stored.Prefetch(context.Background(), secrets.CentercodeAPIKey)
	config, err := settings.LoadMapping()
	if err != nil {
		return nil, err
	}
	table, remembered, err := openLedger(settings)
	if err != nil {
		return nil, err
	}
	written := nowRuns(remembered, config, log) // in the meantime, like the secret
	runs, err := worker.NewMapping(worker.MappingConfig{Config: config})
	if err != nil {
		return nil, err
	}
	health, err := breaker.New(breaker.Config{Store: table, Now: time.Now})
	if err != nil {
		return nil, err
	}
	<-fetched // as in ingest
	<-written
	return worker.New(worker.Config{
		WorkQueueURL: settings.QueueURL, FilesQueueURL: settings.FilesQueueURL, DeadLetterQueueURL: settings.DeadLetterQueueURL,
		Mapping: runs, Ledger: remembered, Breaker: health, Secrets: stored,
		Queue: newQueue(settings.AWS), Reporter: telemetry.Worker{Log: log},
		Now: time.Now, HoldAtMost: worker.HoldAtMost,
	})
}
