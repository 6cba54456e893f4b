// Package stack finds what a deployed FairBridge is made of: it reads the
// outputs of a CloudFormation stack that template.yaml made.
package stack

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/smithy-go"
)

// The names of template.yaml's outputs and parameters that are read here.
const (
	outputWebhookURL         = "WebhookUrl"
	outputWorkQueueURL       = "WorkQueueUrl"
	outputFilesQueueURL      = "FilesQueueUrl"
	outputDeadLetterQueueURL = "DeadLetterQueueUrl"
	outputLedgerTable        = "LedgerTableName"
	outputSecretsPrefix      = "SecretsPrefix"
	outputDashboardURL       = "DashboardUrl"

	parameterCentercodeBaseURL = "CentercodeBaseUrl"
)

var (
	// ErrNotFound says that there is no such stack in the account and region.
	ErrNotFound = errors.New("no such stack")
	// ErrInvalidName says that a name cannot be a stack's.
	ErrInvalidName = errors.New("not a stack's name")
	// ErrForeign says that the stack was not made from FairBridge's template.
	ErrForeign = errors.New("not a FairBridge stack")
)

// MissingOutputsError says that a stack lacks some of the outputs that this
// version of the template has.
type MissingOutputsError struct {
	// Stack is the stack's name, Status what CloudFormation says of it, such
	// as CREATE_IN_PROGRESS.
	Stack, Status string
	// Outputs are the names of those that are missing.
	Outputs []string
}

// Error implements error.
func (e *MissingOutputsError) Error() string {
	return fmt.Sprintf("stack %s (%s) has no output %s", e.Stack, e.Status, strings.Join(e.Outputs, ", "))
}

// API is the part of CloudFormation in use: an IAM policy needs
// cloudformation:DescribeStacks. *cloudformation.Client satisfies it.
type API interface {
	DescribeStacks(context.Context, *cloudformation.DescribeStacksInput, ...func(*cloudformation.Options)) (*cloudformation.DescribeStacksOutput, error)
}

// Stack is a deployed FairBridge.
type Stack struct {
	// Name is the stack's, Status what CloudFormation says of it.
	Name, Status string
	// WebhookURL is where TestFairy sends, without the token.
	WebhookURL                       string
	WorkQueueURL, DeadLetterQueueURL string
	// FilesQueueURL is "" if the stack is of a version without that queue.
	FilesQueueURL string
	LedgerTable   string
	// SecretsPrefix is the path of the secrets in the SSM Parameter Store.
	SecretsPrefix string
	// DashboardURL is a page of the AWS console.
	DashboardURL string
	// CentercodeBaseURL is the parameter's value; "" if fairbridge.yaml has it.
	CentercodeBaseURL string
}

// validName is a stack's name or its ARN; CloudFormation takes both.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStacks.html
var validName = regexp.MustCompile(`^([a-zA-Z][-a-zA-Z0-9]{0,127}|arn:[-a-zA-Z0-9:/._+]{1,512})$`)

// Describe reads the stack with a name. The error is [ErrInvalidName],
// [ErrNotFound], [ErrForeign] or a [*MissingOutputsError], or CloudFormation's.
func Describe(ctx context.Context, api API, name string) (Stack, error) {
	if !validName.MatchString(name) {
		return Stack{}, fmt.Errorf("%w: %q", ErrInvalidName, name)
	}
	out, err := api.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: aws.String(name)})
	// CloudFormation has no code of its own for a stack that is not there. The
	// name has passed the check above, so nothing else can be invalid.
	if refused, ok := errors.AsType[smithy.APIError](err); ok && refused.ErrorCode() == "ValidationError" {
		return Stack{}, fmt.Errorf("%w: %s", ErrNotFound, name)
	}
	if err != nil {
		return Stack{}, fmt.Errorf("describe stack %s: %w", name, err)
	}
	if len(out.Stacks) != 1 {
		return Stack{}, fmt.Errorf("%w: %s", ErrNotFound, name)
	}
	return parse(out.Stacks[0])
}

func parse(described types.Stack) (Stack, error) {
	s := Stack{Name: aws.ToString(described.StackName), Status: string(described.StackStatus)}
	outputs := map[string]string{}
	for _, o := range described.Outputs {
		outputs[aws.ToString(o.OutputKey)] = aws.ToString(o.OutputValue)
	}
	wanted := []struct {
		output string
		field  *string
	}{
		{outputWebhookURL, &s.WebhookURL},
		{outputWorkQueueURL, &s.WorkQueueURL},
		{outputDeadLetterQueueURL, &s.DeadLetterQueueURL},
		{outputLedgerTable, &s.LedgerTable},
		{outputSecretsPrefix, &s.SecretsPrefix},
		{outputDashboardURL, &s.DashboardURL},
	}
	var missing []string
	for _, w := range wanted {
		if *w.field = outputs[w.output]; *w.field == "" {
			missing = append(missing, w.output)
		}
	}
	if len(missing) == len(wanted) && settled(described.StackStatus) {
		return Stack{}, fmt.Errorf("%w: %s", ErrForeign, s.Name)
	}
	if len(missing) > 0 {
		return Stack{}, &MissingOutputsError{Stack: s.Name, Status: s.Status, Outputs: missing}
	}
	s.FilesQueueURL = outputs[outputFilesQueueURL]
	for _, p := range described.Parameters {
		if aws.ToString(p.ParameterKey) == parameterCentercodeBaseURL {
			s.CentercodeBaseURL = aws.ToString(p.ParameterValue)
		}
	}
	return s, nil
}

// settled says whether a stack has all the outputs it will ever have: one that
// is being made, or whose making failed, has none yet.
func settled(status types.StackStatus) bool {
	switch status {
	case types.StackStatusCreateComplete, types.StackStatusUpdateComplete, types.StackStatusUpdateRollbackComplete,
		types.StackStatusUpdateInProgress, types.StackStatusUpdateCompleteCleanupInProgress,
		types.StackStatusUpdateRollbackInProgress, types.StackStatusUpdateRollbackCompleteCleanupInProgress,
		types.StackStatusImportComplete:
		return true
	}
	return false
}
