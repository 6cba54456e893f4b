// Package parameterstore reads secrets with the SDK's SSM client, or with whatever takes
// its place. It is a package of its own so that the Lambda functions, which have a smaller
// client, do not link the SDK's.
package parameterstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"fairbridge/pkg/secrets"
)

// SSM is the call in use. *ssm.Client implements it, and so does pkg/embedded.
type SSM interface {
	GetParameter(context.Context, *ssm.GetParameterInput, ...func(*ssm.Options)) (*ssm.GetParameterOutput, error)
}

// New returns an API that reads through s.
func New(s SSM) secrets.API { return parameters{s} }

type parameters struct{ ssm SSM }

// GetParameter implements [secrets.API].
func (p parameters) GetParameter(ctx context.Context, name string) (string, error) {
	out, err := p.ssm.GetParameter(ctx, &ssm.GetParameterInput{Name: &name, WithDecryption: aws.Bool(true)})
	if missing := (*types.ParameterNotFound)(nil); errors.As(err, &missing) {
		return "", fmt.Errorf("%w: %w", secrets.ErrNotFound, err)
	}
	if err != nil || out.Parameter == nil {
		return "", err
	}
	return aws.ToString(out.Parameter.Value), nil
}
