package home

import (
	"context"
	"os/user"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// identityTimeout bounds the call for the AWS identity, which must not keep anybody from
// working.
const identityTimeout = 5 * time.Second

// Operator returns who uses this home, for the record of people's actions: the ARN of the
// AWS identity for a stack, otherwise the user of this machine.
func (h *Home) Operator(ctx context.Context) string {
	if h.identity != nil {
		if arn := h.identity(ctx); arn != "" {
			return arn
		}
	}
	u, err := user.Current()
	if err != nil {
		return ""
	}
	return u.Username
}

// callers is the part of STS in use. It needs no permission.
type callers interface {
	GetCallerIdentity(context.Context, *sts.GetCallerIdentityInput, ...func(*sts.Options)) (*sts.GetCallerIdentityOutput, error)
}

// identity makes the call once, when it is first needed. "" means that it failed.
func identity(api callers) func(context.Context) string {
	var once sync.Once
	var arn string
	return func(ctx context.Context) string {
		once.Do(func() {
			ctx, cancel := context.WithTimeout(ctx, identityTimeout)
			defer cancel()
			if out, err := api.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{}); err == nil {
				arn = aws.ToString(out.Arn)
			}
		})
		return arn
	}
}
