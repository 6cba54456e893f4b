// Package home is where a bridge lives: a data folder on this machine, or a CloudFormation
// stack on AWS. It gives the same access to the queues, ledger, secrets and status of
// either.
package home

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"fairbridge/pkg/embedded"
	"fairbridge/pkg/internal/shellword"
	"fairbridge/pkg/ledger"
	"fairbridge/pkg/ledger/dynamo"
	"fairbridge/pkg/stack"
)

// DefaultFolder is the default data folder.
const DefaultFolder = ".fairbridge"

// Place identifies a bridge: one in a folder, or a stack.
type Place struct {
	// Folder is the data folder of a bridge on this machine.
	Folder string
	// Stack is the name of a CloudFormation stack. It takes precedence over Folder.
	Stack string
	// Region and Profile are AWS's, for a stack; "" for those of the environment.
	Region, Profile string
}

// OnAWS reports whether the place is a stack.
func (p Place) OnAWS() bool { return p.Stack != "" }

// Command returns a fairbridge command line for this place, for messages that say what to
// do. words follow the program's name.
func (p Place) Command(words string) string {
	words = "fairbridge " + words
	if p.OnAWS() {
		words = option(words, "--stack", p.Stack)
	} else if p.Folder != DefaultFolder {
		words = option(words, "--data", p.Folder)
	}
	return p.awsCommand(words)
}

// awsCommand adds the place to a command line of the AWS CLI.
func (p Place) awsCommand(line string) string {
	return option(option(line, "--region", p.Region), "--profile", p.Profile)
}

// option adds an option to a command line, unless it is empty.
func option(line, flag, value string) string {
	if value == "" {
		return line
	}
	return line + " " + flag + " " + shellword.Quote(value)
}

// CommandLine is Command for words that may need quotes.
func (p Place) CommandLine(words ...string) string {
	quoted := make([]string, len(words))
	for i, word := range words {
		quoted[i] = shellword.Quote(word)
	}
	return p.Command(strings.Join(quoted, " "))
}

// Queues is the part of SQS in use. *sqs.Client implements it, and so does pkg/embedded. It
// is used concurrently.
type Queues interface {
	ReceiveMessage(context.Context, *sqs.ReceiveMessageInput, ...func(*sqs.Options)) (*sqs.ReceiveMessageOutput, error)
	SendMessageBatch(context.Context, *sqs.SendMessageBatchInput, ...func(*sqs.Options)) (*sqs.SendMessageBatchOutput, error)
	DeleteMessageBatch(context.Context, *sqs.DeleteMessageBatchInput, ...func(*sqs.Options)) (*sqs.DeleteMessageBatchOutput, error)
	ChangeMessageVisibilityBatch(context.Context, *sqs.ChangeMessageVisibilityBatchInput, ...func(*sqs.Options)) (*sqs.ChangeMessageVisibilityBatchOutput, error)
	GetQueueAttributes(context.Context, *sqs.GetQueueAttributesInput, ...func(*sqs.Options)) (*sqs.GetQueueAttributesOutput, error)
}

// Parameters is the part of SSM in use. *ssm.Client implements it, and so does
// pkg/embedded.
type Parameters interface {
	GetParameter(context.Context, *ssm.GetParameterInput, ...func(*ssm.Options)) (*ssm.GetParameterOutput, error)
	PutParameter(context.Context, *ssm.PutParameterInput, ...func(*ssm.Options)) (*ssm.PutParameterOutput, error)
}

// Metrics is the part of CloudWatch in use. *cloudwatch.Client implements it.
type Metrics interface {
	GetMetricData(context.Context, *cloudwatch.GetMetricDataInput, ...func(*cloudwatch.Options)) (*cloudwatch.GetMetricDataOutput, error)
}

// History reads the ledger.
type History interface {
	// Recent returns at most limit records, the last changed first. With dynamo.ErrPartial
	// they are the latest of those that were read.
	Recent(ctx context.Context, limit int) ([]ledger.Record, error)
	// Search calls visit for each matching delivery, one at a time, until it returns false:
	// in a folder the last received first; on a stack as they are found, while the whole
	// table is read.
	Search(ctx context.Context, q ledger.Query, visit func(ledger.Entry) bool) error
	// Outcomes calls visit, one at a time, with the outcome of each delivery that was
	// received from q.Since on and before q.Until. Of the rest of q only Progress is used.
	Outcomes(ctx context.Context, q ledger.Query, visit func(ledger.Outcome)) error
	// Noted returns the records with an attention of pkg/ledger, the oldest first. On AWS
	// it is eventually consistent.
	Noted(ctx context.Context, attention string) ([]ledger.Record, error)
}

// Home is an open bridge: its queues, parameters and ledger.
type Home struct {
	Place

	SQS                              Queues
	SSM                              Parameters
	Ledger                           ledger.Store
	History                          History
	WorkQueueURL, DeadLetterQueueURL string
	// FilesQueueURL is the queue for deliveries with slow files; "" for a stack of a
	// version without it.
	FilesQueueURL string
	SecretsPrefix string
	// CentercodeBaseURL is the stack's parameter; "" if it is in fairbridge.yaml.
	CentercodeBaseURL string
	// Dashboard is the URL of the AWS console's dashboard, "" on this machine.
	Dashboard string
	// Metrics has the counts of the stack's functions; nil on this machine.
	Metrics Metrics
	// Refusals are the refused webhooks.
	Refusals Refusals
	// Peeks reads messages without receiving them. It is nil on AWS, whose SQS cannot, and
	// where only CloudWatch has a message's age.
	Peeks *embedded.SQS
	// Tables inspects the ledger's table, whose name is LedgerTable; both are empty on this
	// machine.
	Tables      dynamo.TableAPI
	LedgerTable string

	// stackWebhook is what [Home.Webhook] returns for a stack.
	stackWebhook string
	// identity returns the AWS identity in use, "" if it is unknown; nil on this machine.
	identity func(context.Context) string
	// mappings is nil on this machine.
	mappings Mappings
	// stacks deletes a stack, after setQueueAttributes has made its queue refuse messages;
	// nil on this machine.
	stacks             stack.DeleteAPI
	setQueueAttributes call[sqs.SetQueueAttributesInput, sqs.SetQueueAttributesOutput, sqs.Options]
	close              func() error
}

// Close closes the bridge.
func (h *Home) Close() error { return h.close() }

// Config configures [Open].
type Config struct {
	Place
	// Create creates a bridge in the folder if there is none. It has no effect for a stack.
	Create bool
}

// Open opens a bridge; any number of processes may have it open. The error wraps
// [fs.ErrNotExist] if there is none in the folder, or [stack.ErrInvalidName].
func Open(ctx context.Context, c Config) (*Home, error) {
	if c.OnAWS() {
		return openStack(ctx, c.Place)
	}
	e, err := embedded.Open(ctx, embedded.Config{Folder: c.Folder, Existing: !c.Create})
	if err != nil {
		return nil, err
	}
	return Folder(e), nil
}
