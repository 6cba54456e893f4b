// Package home is where a bridge lives: a data folder on this machine, or a
// CloudFormation stack on AWS. Its queues, ledger, secrets and status are the
// same to whoever works with them.
package home

import (
	"context"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"fairbridge/pkg/internal/shellword"
	"fairbridge/pkg/ledger"
	"fairbridge/pkg/ledger/dynamo"
	"fairbridge/pkg/stack"
)

// DefaultFolder is the data folder where none is named.
const DefaultFolder = ".fairbridge"

// Place says which bridge is meant: the one in a folder, or a stack.
type Place struct {
	// Folder is the data folder of a bridge on this machine.
	Folder string
	// Stack is the name of a CloudFormation stack. It goes before Folder.
	Stack string
	// Region and Profile are AWS's, for a stack; "" for those of the environment.
	Region, Profile string
}

// OnAWS says whether the place is a stack.
func (p Place) OnAWS() bool { return p.Stack != "" }

// Command is a command line of fairbridge for this place, for messages that say
// what to do. words are what comes after the program's name.
func (p Place) Command(words string) string {
	words = "fairbridge " + words
	for _, option := range []struct{ flag, value string }{
		{"--stack", p.Stack}, {"--data", p.folderToName()}, {"--region", p.Region}, {"--profile", p.Profile},
	} {
		if option.value != "" {
			words += " " + option.flag + " " + shellword.Quote(option.value)
		}
	}
	return words
}

// awsCommand adds to a command line of the AWS CLI where the place is.
func (p Place) awsCommand(line string) string {
	for _, option := range []struct{ flag, value string }{{"--region", p.Region}, {"--profile", p.Profile}} {
		if option.value != "" {
			line += " " + option.flag + " " + shellword.Quote(option.value)
		}
	}
	return line
}

// CommandLine is Command for words that may need quotes.
func (p Place) CommandLine(words ...string) string {
	quoted := make([]string, len(words))
	for i, word := range words {
		quoted[i] = shellword.Quote(word)
	}
	return p.Command(strings.Join(quoted, " "))
}

// folderToName is the folder, if a command line has to name it.
func (p Place) folderToName() string {
	if p.OnAWS() || p.Folder == DefaultFolder {
		return ""
	}
	return p.Folder
}

// Queues is what is called of SQS. *sqs.Client satisfies it, and so does
// pkg/embedded. Several goroutines use it at once.
type Queues interface {
	ReceiveMessage(context.Context, *sqs.ReceiveMessageInput, ...func(*sqs.Options)) (*sqs.ReceiveMessageOutput, error)
	SendMessageBatch(context.Context, *sqs.SendMessageBatchInput, ...func(*sqs.Options)) (*sqs.SendMessageBatchOutput, error)
	DeleteMessageBatch(context.Context, *sqs.DeleteMessageBatchInput, ...func(*sqs.Options)) (*sqs.DeleteMessageBatchOutput, error)
	ChangeMessageVisibilityBatch(context.Context, *sqs.ChangeMessageVisibilityBatchInput, ...func(*sqs.Options)) (*sqs.ChangeMessageVisibilityBatchOutput, error)
	GetQueueAttributes(context.Context, *sqs.GetQueueAttributesInput, ...func(*sqs.Options)) (*sqs.GetQueueAttributesOutput, error)
}

// Parameters is what is called of SSM. *ssm.Client satisfies it, and so does
// pkg/embedded.
type Parameters interface {
	GetParameter(context.Context, *ssm.GetParameterInput, ...func(*ssm.Options)) (*ssm.GetParameterOutput, error)
	PutParameter(context.Context, *ssm.PutParameterInput, ...func(*ssm.Options)) (*ssm.PutParameterOutput, error)
}

// Metrics is what is called of CloudWatch. *cloudwatch.Client satisfies it.
type Metrics interface {
	GetMetricData(context.Context, *cloudwatch.GetMetricDataInput, ...func(*cloudwatch.Options)) (*cloudwatch.GetMetricDataOutput, error)
}

// History is what the ledger knows of the last deliveries.
type History interface {
	// Recent returns the records that changed last, the latest first, at most
	// limit of them. With dynamo.ErrPartial they are the latest of those that
	// were looked at.
	Recent(ctx context.Context, limit int) ([]ledger.Record, error)
	// Search shows the deliveries that are looked for to visit, one after the
	// other, until it returns false: those of a folder the last received first,
	// those of a stack as they are found, for which all of its table is read.
	Search(ctx context.Context, q ledger.Query, visit func(ledger.Entry) bool) error
	// Outcomes calls visit with what became of each delivery that was received from
	// q.Since on and before q.Until, one after the other; nothing else of q counts but
	// Progress.
	Outcomes(ctx context.Context, q ledger.Query, visit func(ledger.Outcome)) error
	// Waiting returns the records that wait for a person, the longest waiting
	// first. On AWS it is a moment behind.
	Waiting(ctx context.Context) ([]ledger.Record, error)
	// Noted returns the records with an attention of pkg/ledger's, the longest
	// there first. On AWS it is a moment behind.
	Noted(ctx context.Context, attention string) ([]ledger.Record, error)
}

// Ages tells what Amazon's SQS does not: *embedded.SQS does.
type Ages interface {
	// Oldest returns when the oldest message of a queue was sent; the zero time
	// if there is none.
	Oldest(ctx context.Context, queueURL string) (time.Time, error)
	// Deliveries returns the ids of the deliveries that have a message in a queue,
	// with when the last of those was sent.
	Deliveries(ctx context.Context, queueURL string) (map[string]time.Time, error)
}

// Peeks shows messages without a receive, which Amazon's SQS cannot:
// *embedded.SQS does.
type Peeks interface {
	// Peek shows the messages of a queue, the longest sent first, until visit
	// returns false. None is hidden from others by it.
	Peek(ctx context.Context, queueURL string, visit func(types.Message) bool) error
}

// Home is an open bridge: its queues, parameters and ledger.
type Home struct {
	Place

	SQS                              Queues
	SSM                              Parameters
	Ledger                           ledger.Store
	History                          History
	WorkQueueURL, DeadLetterQueueURL string
	// FilesQueueURL is where deliveries are whose files take long; "" for a stack of a
	// version without it.
	FilesQueueURL string
	SecretsPrefix string
	// Webhook is where TestFairy sends, without the token; "" if no bridge runs
	// in the folder.
	Webhook string
	// CentercodeBaseURL is the stack's; "" if fairbridge.yaml has it.
	CentercodeBaseURL string
	// Dashboard is a page of the AWS console, "" on this machine.
	Dashboard string
	// Metrics has what the stack's functions count; nil on this machine.
	Metrics Metrics
	// Refusals are the webhooks that were refused.
	Refusals Refusals
	// Ages is nil on AWS, where only CloudWatch knows.
	Ages Ages
	// Peeks is nil on AWS.
	Peeks Peeks
	// Tables is what the ledger's table is examined with, LedgerTable its name;
	// both are nothing on this machine.
	Tables      dynamo.TableAPI
	LedgerTable string

	// identity asks AWS who works here; nil on this machine.
	identity func(context.Context) (string, error)
	// mappings is nil on this machine.
	mappings Mappings
	// stacks and policies take a stack down; nil on this machine.
	stacks   stack.DeleteAPI
	policies policies
	close    func() error
}

// Close lets go of the bridge.
func (h *Home) Close() error { return h.close() }

// Config says which bridge to open.
type Config struct {
	Place
	// Create makes a bridge in the folder if there is none. A stack is never
	// made.
	Create bool
}

// Open opens a bridge; any number of processes may have it open. The error wraps
// [fs.ErrNotExist] if there is none in the folder. For a stack it is a
// [*StackError], [ErrNoRegion], a [*CredentialsError] or AWS's own.
func Open(ctx context.Context, c Config) (*Home, error) {
	if c.OnAWS() {
		return openStack(ctx, c.Place)
	}
	return openFolder(ctx, c)
}
