package main

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
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/smithy-go/logging"

	"fairbridge/pkg/ledger/dynamo"
	"fairbridge/pkg/queue"
	"fairbridge/pkg/stack"
)

// awsTimeout bounds what finding a stack may take: without credentials the SDK
// asks for those of an EC2 instance, which may not answer.
const awsTimeout = 30 * time.Second

// openStack finds everything from the outputs of the stack.
func (p *place) openStack(ctx context.Context) (*target, error) {
	cfg, err := p.awsConfig(ctx)
	if err != nil {
		return nil, err
	}
	finding, cancel := context.WithTimeout(ctx, awsTimeout)
	defer cancel()
	s, err := stack.Describe(finding, cloudformation.NewFromConfig(cfg), p.stack)
	if err != nil {
		return nil, explainStack(err, p.stack, cfg.Region)
	}
	db := dynamodb.NewFromConfig(cfg)
	return &target{
		SQS: sqs.NewFromConfig(cfg), SSM: ssm.NewFromConfig(cfg),
		Ledger: dynamo.New(db, s.LedgerTable), History: dynamo.NewHistory(db, s.LedgerTable),
		WorkQueueURL: s.WorkQueueURL, DeadLetterQueueURL: s.DeadLetterQueueURL, SecretsPrefix: s.SecretsPrefix,
		Webhook: s.WebhookURL, CentercodeBaseURL: s.CentercodeBaseURL, Dashboard: s.DashboardURL,
		onAWS: true, close: func() error { return nil },
	}, nil
}

// awsConfig is what AWS's own tools would use: flags, then the environment
// (AWS_ENDPOINT_URL too), then the profile. It asks for the credentials at
// once, so that a missing sign-in is not told as a fault of some service.
func (p *place) awsConfig(ctx context.Context) (aws.Config, error) {
	ctx, cancel := context.WithTimeout(ctx, awsTimeout)
	defer cancel()
	// What matters is in an error; the SDK would also warn on standard error,
	// such as of a machine that is no EC2 instance.
	options := []func(*config.LoadOptions) error{
		config.WithLogger(logging.Nop{}),
		config.WithHTTPClient(awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
			t.MaxIdleConnsPerHost = queue.Concurrency
		})),
	}
	if p.region != "" {
		options = append(options, config.WithRegion(p.region))
	}
	if p.profile != "" {
		options = append(options, config.WithSharedConfigProfile(p.profile))
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

// explainStack says what to do about a stack that was not found as it must be.
func explainStack(err error, name, region string) error {
	missing, isMissing := errors.AsType[*stack.MissingOutputsError](err)
	switch {
	case errors.Is(err, stack.ErrInvalidName):
		return usage("%q cannot be the name of a stack", name)
	case errors.Is(err, stack.ErrNotFound):
		return fmt.Errorf("there is no stack %s in %s in this AWS account; check --stack, --region and --profile", name, region)
	case errors.Is(err, stack.ErrForeign):
		return fmt.Errorf("stack %s in %s is not a FairBridge: it has none of its outputs", name, region)
	case isMissing && strings.HasSuffix(missing.Status, "_IN_PROGRESS"):
		return fmt.Errorf("stack %s in %s is not ready (%s); try again when it is", name, region, missing.Status)
	case isMissing && strings.Contains(missing.Status, "ROLLBACK_"), isMissing && strings.HasSuffix(missing.Status, "_FAILED"):
		return fmt.Errorf("stack %s in %s failed (%s); 'sam delete' it and deploy again", name, region, missing.Status)
	case isMissing:
		return fmt.Errorf("stack %s in %s has no output %s: it was deployed from an older template; deploy it again",
			name, region, strings.Join(missing.Outputs, ", "))
	}
	return fmt.Errorf("find the bridge in %s: %w", region, err)
}
