package stack

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
)

// DeleteAPI is what [Delete] uses of CloudFormation: an IAM policy needs
// cloudformation:DeleteStack, and permissions to delete the stack's resources.
type DeleteAPI interface {
	API
	DeleteStack(context.Context, *cloudformation.DeleteStackInput, ...func(*cloudformation.Options)) (*cloudformation.DeleteStackOutput, error)
}

// deletion is how long CloudFormation may take to delete a stack: the network interfaces of
// a function in a VPC can take 20 minutes.
const deletion = 45 * time.Minute

// Delete starts deleting a stack and returns its id, by which it can be found afterwards.
// If the error does not wrap a smithy.APIError, the deletion may have started.
func Delete(ctx context.Context, api DeleteAPI, name string) (id string, err error) {
	out, err := api.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: aws.String(name)})
	if err != nil {
		return "", fmt.Errorf("describe stack %s: %w", name, err)
	}
	id = aws.ToString(out.Stacks[0].StackId)
	if _, err := api.DeleteStack(ctx, &cloudformation.DeleteStackInput{StackName: &id}); err != nil {
		return "", fmt.Errorf("delete stack %s: %w", name, err)
	}
	return id, nil
}

// AwaitDeletion waits until the stack with an id is gone.
func AwaitDeletion(ctx context.Context, api DeleteAPI, id string) error {
	gone := cloudformation.NewStackDeleteCompleteWaiter(api, func(o *cloudformation.StackDeleteCompleteWaiterOptions) {
		o.MinDelay, o.MaxDelay = time.Second, 15*time.Second
	})
	if err := gone.Wait(ctx, &cloudformation.DescribeStacksInput{StackName: &id}, deletion); err != nil {
		return fmt.Errorf("wait until stack %s is deleted: %w; see its events in the AWS console", id, err)
	}
	return nil
}
