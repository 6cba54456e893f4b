package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

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
	cmd.Flags().StringVar(&p.Stack, "stack", "", "`name` of the CloudFormation stack of a bridge on AWS")
	cmd.Flags().StringVar(&p.Region, "region", "", "AWS `region` of the stack (default: AWS_REGION or the profile's)")
	cmd.Flags().StringVar(&p.Profile, "profile", "", "AWS `profile` to use (default: AWS_PROFILE)")
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
	switch {
	case errors.Is(err, stack.ErrInvalidName):
		return usage("%q cannot be the name of a stack", p.Stack)
	case !p.OnAWS() && errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("there is no bridge in %s; start one with 'fairbridge run', or name another with --data or --stack", p.Folder)
	}
	return err
}
