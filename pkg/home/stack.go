package home

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sts"
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
		return nil, explainStack(err, p.Stack, cfg.Region)
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
		Place: p, stacks: stacks, setQueueAttributes: sqs.NewFromConfig(cfg).SetQueueAttributes,
		SQS: queues, SSM: newParameterCalls(cfg),
		Ledger: store, History: history,
		Tables: db, LedgerTable: s.LedgerTable,
		WorkQueueURL: s.WorkQueueURL, FilesQueueURL: s.FilesQueueURL, DeadLetterQueueURL: s.DeadLetterQueueURL, SecretsPrefix: s.SecretsPrefix,
		stackWebhook: s.WebhookURL, CentercodeBaseURL: s.CentercodeBaseURL, Dashboard: s.DashboardURL,
		Metrics:  metricCalls(cloudwatch.NewFromConfig(cfg).GetMetricData),
		Refusals: logRefusals{logs: logCalls(cloudwatchlogs.NewFromConfig(cfg).FilterLogEvents), stack: s.Name, now: time.Now},
		identity: identity(callerCalls(sts.NewFromConfig(cfg).GetCallerIdentity)),
		mappings: mappingCalls(lambda.NewFromConfig(cfg).ListEventSourceMappings),
		close:    func() error { return nil },
	}, nil
}

// explainStack adds what to do if a stack was not found or is incomplete.
func explainStack(err error, name, region string) error {
	missing, isMissing := errors.AsType[*stack.MissingOutputsError](err)
	switch {
	case errors.Is(err, stack.ErrInvalidName):
		return err
	case errors.Is(err, stack.ErrNotFound):
		return fmt.Errorf("there is no stack %s in %s in this AWS account; check --stack, --region and --profile", name, region)
	case errors.Is(err, stack.ErrForeign):
		return fmt.Errorf("stack %s in %s is not a FairBridge stack: it lacks the expected outputs", name, region)
	case isMissing && strings.HasSuffix(missing.Status, "_IN_PROGRESS"):
		return fmt.Errorf("stack %s in %s is not ready (%s); try again when it is", name, region, missing.Status)
	case isMissing && (strings.Contains(missing.Status, "ROLLBACK_") || strings.HasSuffix(missing.Status, "_FAILED")):
		return fmt.Errorf("stack %s in %s failed (%s); 'sam delete' it and deploy again", name, region, missing.Status)
	case isMissing:
		return fmt.Errorf("stack %s in %s has no output %s: it was deployed from an older template; deploy it again",
			name, region, strings.Join(missing.Outputs, ", "))
	}
	return fmt.Errorf("find the bridge in %s: %w", region, err)
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
		return aws.Config{}, errors.New("no AWS region is set; give --region, or set AWS_REGION")
	}
	if _, err := cfg.Credentials.Retrieve(ctx); err != nil {
		return aws.Config{}, fmt.Errorf("there are no AWS credentials; sign in ('aws sso login', 'aws configure'), or name a profile with --profile: %w", err)
	}
	return cfg, nil
}
