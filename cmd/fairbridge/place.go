package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/spf13/cobra"

	"fairbridge/pkg/embedded"
	"fairbridge/pkg/ledger"
	"fairbridge/pkg/ledger/sqlite"
	"fairbridge/pkg/secrets"
)

// place says which bridge a command is about: the one in a data folder, or a
// stack on AWS.
type place struct {
	data, stack, region, profile string
	// create makes the data folder if there is none.
	create bool

	given func(flag string) bool
}

func (p *place) flags(cmd *cobra.Command) {
	dataFlag(cmd, &p.data)
	cmd.Flags().StringVar(&p.stack, "stack", "", "name of the CloudFormation stack of a bridge on AWS")
	cmd.Flags().StringVar(&p.region, "region", "", "AWS region of the stack (default: AWS_REGION or the profile's)")
	cmd.Flags().StringVar(&p.profile, "profile", "", "AWS profile to use (default: AWS_PROFILE)")
	p.given = cmd.Flags().Changed
}

func (p *place) check() error {
	switch {
	case p.stack != "" && p.given("data"):
		return usage("--stack and --data name two bridges; give one of them")
	case p.stack == "" && p.given("stack"):
		return usage("--stack is empty; give the name of a stack")
	case p.stack == "" && (p.region != "" || p.profile != ""):
		return usage("--region and --profile go with --stack")
	}
	return nil
}

// command is how a command line goes on that is about the same place, for
// messages that say what to do.
func (p *place) command(words string) string {
	words = "fairbridge " + words
	switch {
	case p.stack != "":
		words += " --stack " + shellWord(p.stack)
	case p.given("data"):
		words += " --data " + shellWord(p.data)
	}
	if p.region != "" {
		words += " --region " + shellWord(p.region)
	}
	if p.profile != "" {
		words += " --profile " + shellWord(p.profile)
	}
	return words
}

// shellWord writes a text so that a shell reads it as one word.
func shellWord(s string) string {
	const safe = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:,@%+="
	if s != "" && strings.Trim(s, safe) == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// queues is what the commands call of SQS. *sqs.Client satisfies it, and so
// does pkg/embedded.
type queues interface {
	ReceiveMessage(context.Context, *sqs.ReceiveMessageInput, ...func(*sqs.Options)) (*sqs.ReceiveMessageOutput, error)
	SendMessage(context.Context, *sqs.SendMessageInput, ...func(*sqs.Options)) (*sqs.SendMessageOutput, error)
	SendMessageBatch(context.Context, *sqs.SendMessageBatchInput, ...func(*sqs.Options)) (*sqs.SendMessageBatchOutput, error)
	DeleteMessage(context.Context, *sqs.DeleteMessageInput, ...func(*sqs.Options)) (*sqs.DeleteMessageOutput, error)
	DeleteMessageBatch(context.Context, *sqs.DeleteMessageBatchInput, ...func(*sqs.Options)) (*sqs.DeleteMessageBatchOutput, error)
	ChangeMessageVisibility(context.Context, *sqs.ChangeMessageVisibilityInput, ...func(*sqs.Options)) (*sqs.ChangeMessageVisibilityOutput, error)
	ChangeMessageVisibilityBatch(context.Context, *sqs.ChangeMessageVisibilityBatchInput, ...func(*sqs.Options)) (*sqs.ChangeMessageVisibilityBatchOutput, error)
	GetQueueAttributes(context.Context, *sqs.GetQueueAttributesInput, ...func(*sqs.Options)) (*sqs.GetQueueAttributesOutput, error)
}

// parameters is what the commands call of SSM. *ssm.Client satisfies it, and so
// does pkg/embedded.
type parameters interface {
	GetParameter(context.Context, *ssm.GetParameterInput, ...func(*ssm.Options)) (*ssm.GetParameterOutput, error)
	PutParameter(context.Context, *ssm.PutParameterInput, ...func(*ssm.Options)) (*ssm.PutParameterOutput, error)
}

// history is what the ledger knows of the last deliveries.
type history interface {
	// Recent returns the records that changed last, the latest first, at most
	// limit of them. With dynamo.ErrPartial they are the latest of those that
	// were looked at.
	Recent(ctx context.Context, limit int) ([]ledger.Record, error)
}

// ages tells what Amazon's SQS does not: *embedded.SQS does.
type ages interface {
	// Oldest returns when the oldest message of a queue was sent; the zero time
	// if there is none.
	Oldest(ctx context.Context, queueURL string) (time.Time, error)
}

// peeks shows messages without a receive, which Amazon's SQS cannot:
// *embedded.SQS does.
type peeks interface {
	// Peek shows the messages of a queue, the longest sent first, until visit
	// returns false. None is hidden from others by it.
	Peek(ctx context.Context, queueURL string, visit func(types.Message) bool) error
}

// target is an open bridge: its queues, parameters and ledger.
type target struct {
	SQS                              queues
	SSM                              parameters
	Ledger                           ledger.Store
	History                          history
	WorkQueueURL, DeadLetterQueueURL string
	SecretsPrefix                    string
	// Webhook is where TestFairy sends, without the token; "" if no bridge runs
	// in the data folder.
	Webhook string
	// CentercodeBaseURL is the stack's; "" if fairbridge.yaml has it.
	CentercodeBaseURL string
	// Dashboard is a page of the AWS console, "" on this machine.
	Dashboard string
	// Ages is nil on AWS, where only CloudWatch knows.
	Ages ages
	// Peeks is nil on AWS.
	Peeks peeks

	onAWS bool
	close func() error
}

// Close lets go of the bridge.
func (t *target) Close() error { return t.close() }

// open opens the bridge that the flags name.
func (p *place) open(ctx context.Context) (*target, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	if p.stack != "" {
		return p.openStack(ctx)
	}
	return p.openData(ctx)
}

func (p *place) openData(ctx context.Context) (*target, error) {
	var options []embedded.Option
	if !p.create {
		options = append(options, embedded.Existing())
	}
	home, err := embedded.Open(ctx, p.data, options...)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no bridge in %s; start one with 'fairbridge run', or name another with --data or --stack", p.data)
	}
	if err != nil {
		return nil, err
	}
	store, err := sqlite.New(ctx, home.DB)
	if err != nil {
		return nil, errors.Join(err, home.Close())
	}
	t := &target{
		SQS: home.SQS, SSM: home.SSM, Ages: home.SQS, Peeks: home.SQS, Ledger: store, History: store, SecretsPrefix: secrets.DefaultPrefix,
		WorkQueueURL: home.WorkQueueURL, DeadLetterQueueURL: home.DeadLetterQueueURL, close: home.Close,
	}
	if address, err := runningAt(p.data); err == nil {
		t.Webhook = localWebhook(address)
	}
	return t, nil
}
