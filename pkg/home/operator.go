package home

import (
	"context"
	"os/user"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// identityTimeout bounds the question who works here: that is no reason to keep
// anybody from the work.
const identityTimeout = 5 * time.Second

// Operator says who works here, for the record of what people did: the ARN of the
// AWS identity that a stack is worked on with, else the user of this machine.
func (h *Home) Operator(ctx context.Context) string {
	if h.identity != nil {
		if arn, err := h.identity(ctx); err == nil && arn != "" {
			return arn
		}
	}
	u, err := user.Current()
	if err != nil {
		return ""
	}
	return u.Username
}

// callers is what is called of STS. It needs no permission.
type callers interface {
	GetCallerIdentity(context.Context, *sts.GetCallerIdentityInput, ...func(*sts.Options)) (*sts.GetCallerIdentityOutput, error)
}

// identity asks AWS once, when it is first needed.
func identity(api callers) func(context.Context) (string, error) {
	var mu sync.Mutex
	var asked bool
	var arn string
	var err error
	return func(ctx context.Context) (string, error) {
		mu.Lock()
		defer mu.Unlock()
		if asked {
			return arn, err
		}
		asked = true
		ctx, cancel := context.WithTimeout(ctx, identityTimeout)
		defer cancel()
		var out *sts.GetCallerIdentityOutput
		if out, err = api.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{}); err == nil {
			arn = aws.ToString(out.Arn)
		}
		return arn, err
	}
}
