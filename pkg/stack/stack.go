// Package stack finds the parts of a deployed FairBridge: it reads the outputs of a
// CloudFormation stack made from template.yaml.
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

// The names of the template's outputs and parameters in use.
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
	// ErrNotFound means that there is no such stack in the account and region.
	ErrNotFound = errors.New("no such stack")
	// ErrInvalidName means that a name cannot be a stack's.
	ErrInvalidName = errors.New("not a stack's name")
	// ErrForeign means that the stack was not made from FairBridge's template.
	ErrForeign = errors.New("not a FairBridge stack")
)

// MissingOutputsError means that a stack lacks outputs that this version of the template
// has.
type MissingOutputsError struct {
	// Stack is the stack's name, Status its CloudFormation status, such as
	// CREATE_IN_PROGRESS.
	Stack, Status string
	// Outputs are the missing ones.
	Outputs []string
}

// Error implements error.
func (e *MissingOutputsError) Error() string {
	return fmt.Sprintf("stack %s (%s) has no output %s", e.Stack, e.Status, strings.Join(e.Outputs, ", "))
}

// API is the part of CloudFormation in use: an IAM policy needs
// cloudformation:DescribeStacks. *cloudformation.Client implements it.
type API interface {
	DescribeStacks(context.Context, *cloudformation.DescribeStacksInput, ...func(*cloudformation.Options)) (*cloudformation.DescribeStacksOutput, error)
}

// Stack is a deployed FairBridge.
type Stack struct {
	// Name is the stack's name, Status its CloudFormation status.
	Name, Status string
	// WebhookURL is the address for TestFairy, without the token.
	WebhookURL                       string
	WorkQueueURL, DeadLetterQueueURL string
	// FilesQueueURL is "" if the stack is of a version without that queue.
	FilesQueueURL string
	LedgerTable   string
	// SecretsPrefix is the path of the secrets in the SSM Parameter Store.
	SecretsPrefix string
	// DashboardURL is the dashboard's page in the AWS console.
	DashboardURL string
	// CentercodeBaseURL is the parameter's value; "" if it is in fairbridge.yaml.
	CentercodeBaseURL string
}

// validName matches a stack's name or ARN; CloudFormation accepts both. See
// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStacks.html
var validName = regexp.MustCompile(`^([a-zA-Z][-a-zA-Z0-9]{0,127}|arn:[-a-zA-Z0-9:/._+]{1,512})$`)

// Describe reads the stack with that name. The error is [ErrInvalidName], [ErrNotFound],
// [ErrForeign], a [*MissingOutputsError], or CloudFormation's.
func Describe(ctx context.Context, api API, name string) (Stack, error) {
	if !validName.MatchString(name) {
		return Stack{}, fmt.Errorf("%w: %q", ErrInvalidName, name)
	}
	out, err := api.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: aws.String(name)})
	// CloudFormation has no error code of its own for a missing stack. The name has been
	// validated above, so nothing else can be invalid.
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

// settled reports whether a stack has all its outputs: one that is being created, or whose
// creation failed, has none yet.
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
