package home

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/smithy-go/logging"

	"fairbridge/pkg/ledger/dynamo"
	"fairbridge/pkg/stack"
)

// awsTimeout bounds finding a stack: without credentials the SDK tries those of an EC2
// instance, which may not answer.
const awsTimeout = 30 * time.Second

// Connections is how many connections to a service's host are kept, and so how many
// concurrent calls are useful. The SDK's own client keeps 10.
const Connections = 24

// ErrNoRegion means that no AWS region is configured for a stack.
var ErrNoRegion = errors.New("no AWS region is set")

// CredentialsError means that there are no AWS credentials.
type CredentialsError struct{ Err error }

// Error implements error.
func (e *CredentialsError) Error() string { return "there are no AWS credentials: " + e.Err.Error() }

// Unwrap returns the cause.
func (e *CredentialsError) Unwrap() error { return e.Err }

// StackError is why a stack is not a usable bridge. Err is one of pkg/stack's, or
// CloudFormation's.
type StackError struct {
	Stack, Region string
	Err           error
}

// Error implements error.
func (e *StackError) Error() string {
	return fmt.Sprintf("find stack %s in %s: %v", e.Stack, e.Region, e.Err)
}

// Unwrap returns Err.
func (e *StackError) Unwrap() error { return e.Err }

// openStack finds everything from the stack's outputs.
func openStack(ctx context.Context, p Place) (*Home, error) {
	cfg, err := awsConfig(ctx, p)
	if err != nil {
		return nil, err
	}
	finding, cancel := context.WithTimeout(ctx, awsTimeout)
	defer cancel()
	stacks := newStackCalls(cfg)
	s, err := stack.Describe(finding, stacks, p.Stack)
	if err != nil {
		return nil, &StackError{Stack: p.Stack, Region: cfg.Region, Err: err}
	}
	db, queues := newTableCalls(cfg), newQueueCalls(cfg)
	store, err := dynamo.New(dynamo.Config{API: db, Table: s.LedgerTable})
	if err != nil {
		return nil, err
	}
	history, err := dynamo.NewHistory(dynamo.HistoryConfig{API: db, Table: s.LedgerTable})
	if err != nil {
		return nil, err
	}
	return &Home{
		Place: p, stacks: stacks, policies: queues,
		SQS: queues, SSM: newParameterCalls(cfg),
		Ledger: store, History: history,
		Tables: db, LedgerTable: s.LedgerTable,
		WorkQueueURL: s.WorkQueueURL, FilesQueueURL: s.FilesQueueURL, DeadLetterQueueURL: s.DeadLetterQueueURL, SecretsPrefix: s.SecretsPrefix,
		Webhook: s.WebhookURL, CentercodeBaseURL: s.CentercodeBaseURL, Dashboard: s.DashboardURL,
		Metrics:  newMetricCalls(cfg),
		Refusals: logRefusals{logs: newLogCalls(cfg), stack: s.Name, now: time.Now},
		identity: identity(newCallerCalls(cfg)), mappings: newMappingCalls(cfg),
		close: func() error { return nil },
	}, nil
}

// awsConfig returns the configuration that AWS's own tools would use: flags, then the
// environment (including AWS_ENDPOINT_URL), then the profile. It gets the credentials at
// once, so that a missing sign-in is not reported as an error of some service.
func awsConfig(ctx context.Context, p Place) (aws.Config, error) {
	ctx, cancel := context.WithTimeout(ctx, awsTimeout)
	defer cancel()
	// Errors have what matters; the SDK would also write warnings to standard error, for
	// example that the machine is not an EC2 instance.
	options := []func(*config.LoadOptions) error{
		config.WithLogger(logging.Nop{}),
		config.WithHTTPClient(awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
			t.MaxIdleConnsPerHost = Connections
		})),
	}
	if p.Region != "" {
		options = append(options, config.WithRegion(p.Region))
	}
	if p.Profile != "" {
		options = append(options, config.WithSharedConfigProfile(p.Profile))
	}
	cfg, err := config.LoadDefaultConfig(ctx, options...)
	if missing, ok := errors.AsType[config.SharedConfigProfileNotExistError](err); ok {
		return aws.Config{}, fmt.Errorf("there is no AWS profile %q; 'aws configure list-profiles' lists those there are", missing.Profile)
	}
	if err != nil {
		return aws.Config{}, fmt.Errorf("read the AWS configuration: %w", err)
	}
	if cfg.Region == "" {
		return aws.Config{}, ErrNoRegion
	}
	if _, err := cfg.Credentials.Retrieve(ctx); err != nil {
		return aws.Config{}, &CredentialsError{Err: err}
	}
	return cfg, nil
}
