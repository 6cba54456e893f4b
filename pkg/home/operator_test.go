package home

import (
	"context"
	"errors"
	"os/user"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

type caller struct {
	arn   string
	err   error
	asked int
}

func (c *caller) GetCallerIdentity(context.Context, *sts.GetCallerIdentityInput, ...func(*sts.Options)) (*sts.GetCallerIdentityOutput, error) {
	c.asked++
	return &sts.GetCallerIdentityOutput{Arn: aws.String(c.arn)}, c.err
}

func TestOperator(t *testing.T) {
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	const arn = "arn:aws:sts::123456789012:assumed-role/Operators/ada"
	for name, tc := range map[string]struct {
		aws  *caller
		want string
	}{
		"folder":              {nil, me.Username},
		"stack":               {&caller{arn: arn}, arn},
		"AWS does not say":    {&caller{err: errors.New("no route to host")}, me.Username},
		"AWS names no caller": {&caller{}, me.Username},
	} {
		t.Run(name, func(t *testing.T) {
			h := &Home{}
			if tc.aws != nil {
				h.identity = identity(tc.aws)
			}
			for range 2 {
				if got := h.Operator(t.Context()); got != tc.want {
					t.Errorf("got %q, want %q", got, tc.want)
				}
			}
			if tc.aws != nil && tc.aws.asked != 1 {
				t.Errorf("%d requests", tc.aws.asked)
			}
		})
	}
}
