package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"fairbridge/pkg/deadletter"
	"fairbridge/pkg/home"
	"fairbridge/pkg/preview"
	"fairbridge/pkg/terminal"
)

func newDeadLetters(std streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "dlq",
		Short: "Look at dead letters, fix them and replay them",
		Long: `A dead letter is a delivery that needs a person. Start with 'list', read what
'show' says about one, fix the cause, and 'replay'. docs/dead-letters.md has
instructions for each reason. The exit code is 0 if everything was done, 1 if
something was left, 2 if the command was called incorrectly.`,
		Args: noCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(
		newDeadLettersList(std), newDeadLettersShow(std), newDeadLettersEdit(std), newDeadLettersReplay(std),
		newDeadLettersDrop(std), newDeadLettersExport(std), newDeadLettersImport(std), newDeadLettersAdopt(std),
	)
	return cmd
}

// operator is a [deadletter.Manager] with the output of a command.
type operator struct {
	*deadletter.Manager
	at     *place
	target *home.Home
	std    streams
	meter  *terminal.Meter
}

// withOperator runs work with an open operator.
func withOperator(ctx context.Context, at *place, std streams, work func(*operator) error) error {
	t, err := at.open(ctx)
	if err != nil {
		return err
	}
	m := terminal.NewMeter(std.err)
	d, err := deadletter.New(deadletter.Config{Home: t, Progress: m.Show})
	if err == nil {
		err = work(&operator{Manager: d, at: at, target: t, std: std, meter: m})
	}
	return errors.Join(err, t.Close())
}

// say writes a message that is not part of the result.
func (d *operator) say(format string, args ...any) {
	d.meter.Clear()
	fmt.Fprintf(d.std.err, "fairbridge: "+format+"\n", args...)
}

// print writes a result.
func (d *operator) print(format string, args ...any) error {
	d.meter.Clear()
	_, err := fmt.Fprintf(d.std.out, format, args...)
	return err
}

// tryFlag names a mapping file to try.
func tryFlag(cmd *cobra.Command, config *string) {
	configFlag(cmd, config)
	cmd.Flags().Lookup("config").Usage = "show the request with this file, whatever runs"
}

// checker builds requests with the mapping that the bridge runs, or with the flag's file.
// It is nil if there is no mapping.
func (d *operator) checker(cmd *cobra.Command, config string) (*preview.Checker, error) {
	m, err := d.target.Mapping(cmd.Context(), config, cmd.Flags().Changed("config"))
	if err != nil || m.Config == nil {
		return nil, err
	}
	return preview.New(preview.Config{Mapping: m.Config, By: m.By})
}
