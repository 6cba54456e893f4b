package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/spf13/cobra"

	"fairbridge/pkg/home"
	"fairbridge/pkg/stack"
)

// place is the bridge that a command's flags select.
type place struct {
	home.Place
	// create creates the data folder if there is none.
	create bool

	given func(flag string) bool
}

func (p *place) flags(cmd *cobra.Command) {
	dataFlag(cmd, &p.Folder)
	cmd.Flags().StringVar(&p.Stack, "stack", "", "name of the CloudFormation stack of a bridge on AWS")
	cmd.Flags().StringVar(&p.Region, "region", "", "AWS region of the stack (default: AWS_REGION or the profile's)")
	cmd.Flags().StringVar(&p.Profile, "profile", "", "AWS profile to use (default: AWS_PROFILE)")
	p.given = cmd.Flags().Changed
}

func (p *place) check() error {
	switch {
	case p.Stack != "" && p.given("data"):
		return usage("--stack and --data name two bridges; give one of them")
	case p.Stack == "" && p.given("stack"):
		return usage("--stack is empty; give the name of a stack")
	case p.Stack == "" && (p.Region != "" || p.Profile != ""):
		return usage("--region and --profile go with --stack")
	}
	return nil
}

// open opens the selected bridge.
func (p *place) open(ctx context.Context) (*home.Home, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	h, err := home.Open(ctx, home.Config{Place: p.Place, Create: p.create})
	if err != nil {
		return nil, p.explain(err)
	}
	return h, nil
}

// use runs work with the selected bridge, and closes it.
func (p *place) use(ctx context.Context, work func(*home.Home) error) error {
	h, err := p.open(ctx)
	if err != nil {
		return err
	}
	return errors.Join(work(h), h.Close())
}

// explain adds what to do if a bridge could not be opened.
func (p *place) explain(err error) error {
	if where, ok := errors.AsType[*home.StackError](err); ok {
		return explainStack(where)
	}
	credentials, noCredentials := errors.AsType[*home.CredentialsError](err)
	switch {
	case !p.OnAWS() && errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("there is no bridge in %s; start one with 'fairbridge run', or name another with --data or --stack", p.Folder)
	case errors.Is(err, home.ErrNoRegion):
		return fmt.Errorf("%w; give --region, or set AWS_REGION", err)
	case noCredentials:
		return fmt.Errorf("there are no AWS credentials; sign in ('aws sso login', 'aws configure'), or name a profile with --profile: %w", credentials.Err)
	}
	return err
}

// explainStack adds what to do if a stack was not found or is incomplete.
func explainStack(where *home.StackError) error {
	name, region := where.Stack, where.Region
	missing, isMissing := errors.AsType[*stack.MissingOutputsError](where.Err)
	switch {
	case errors.Is(where.Err, stack.ErrInvalidName):
		return usage("%q cannot be the name of a stack", name)
	case errors.Is(where.Err, stack.ErrNotFound):
		return fmt.Errorf("there is no stack %s in %s in this AWS account; check --stack, --region and --profile", name, region)
	case errors.Is(where.Err, stack.ErrForeign):
		return fmt.Errorf("stack %s in %s is not a FairBridge stack: it lacks the expected outputs", name, region)
	case isMissing && strings.HasSuffix(missing.Status, "_IN_PROGRESS"):
		return fmt.Errorf("stack %s in %s is not ready (%s); try again when it is", name, region, missing.Status)
	case isMissing && strings.Contains(missing.Status, "ROLLBACK_"), isMissing && strings.HasSuffix(missing.Status, "_FAILED"):
		return fmt.Errorf("stack %s in %s failed (%s); 'sam delete' it and deploy again", name, region, missing.Status)
	case isMissing:
		return fmt.Errorf("stack %s in %s has no output %s: it was deployed from an older template; deploy it again",
			name, region, strings.Join(missing.Outputs, ", "))
	}
	return fmt.Errorf("find the bridge in %s: %w", region, where.Err)
}
