package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"fairbridge/pkg/deadletter"
	"fairbridge/pkg/home"
	"fairbridge/pkg/preview"
	"fairbridge/pkg/queue"
	"fairbridge/pkg/terminal"
)

func newDeadLetters(std streams) *cobra.Command {
	return group(&cobra.Command{
		Use:   "dlq",
		Short: "Look at dead letters, fix them and replay them",
		Long: `A dead letter is a delivery that needs a person. Start with 'list', read what
'show' says about one, fix the cause, and 'replay'. docs/dead-letters.md has
instructions for each reason. The exit code is 0 if everything was done, 1 if
something was left, 2 if the command was called incorrectly.`,
	},
		newDeadLettersList(std), newDeadLettersShow(std), newDeadLettersEdit(std), newDeadLettersReplay(std),
		newDeadLettersDrop(std), newDeadLettersExport(std), newDeadLettersImport(std), newDeadLettersAdopt(std),
	)
}

// operator is a [deadletter.Manager] with the output of a command.
type operator struct {
	*deadletter.Manager
	target *home.Home
	std    streams
	meter  *terminal.Meter
	// left means that something was left, and that the output has explained it.
	left bool
}

// withOperator runs work with an open operator. The error is errSaid if something was left.
func withOperator(ctx context.Context, at *place, std streams, work func(*operator) error) error {
	return at.use(ctx, func(t *home.Home) error {
		m := terminal.NewMeter(std.err)
		d, err := deadletter.New(deadletter.Config{Home: t, Progress: m.Show})
		if err != nil {
			return err
		}
		o := &operator{Manager: d, target: t, std: std, meter: m}
		if err = work(o); err == nil && o.left {
			err = errSaid
		}
		return err
	})
}

// say writes a message that is not part of the result.
func (d *operator) say(format string, args ...any) {
	d.meter.Clear()
	fmt.Fprintf(d.std.err, "fairbridge: "+format+"\n", args...)
}

// leave explains what is left.
func (d *operator) leave(format string, args ...any) {
	d.left = true
	d.say(format, args...)
}

// stays explains why a delivery's letter is left.
func (d *operator) stays(id string, err error) { d.leave("%s stays: %v", queue.ShortID(id), err) }

// mostSaid limits how often the same message is written for different letters.
const mostSaid = 20

// leaveOneOf is leave for the n-th letter of a kind, unless there were too many before.
func (d *operator) leaveOneOf(n *int, format string, args ...any) {
	d.left = true
	if *n++; *n <= mostSaid {
		d.say(format, args...)
	}
}

func (d *operator) print(format string, args ...any) error {
	d.meter.Clear()
	_, err := fmt.Fprintf(d.std.out, format, args...)
	return err
}

// confirm asks a yes-or-no question, and ends the command with declined if the answer is no.
func (d *operator) confirm(ctx context.Context, question, declined string) error {
	yes, err := ask(ctx, d.std, question)
	if err == nil && !yes {
		d.say("%s", declined)
		err = errSaid
	}
	return err
}

// tryFlag names a mapping file to try.
func tryFlag(cmd *cobra.Command, config *string) {
	configFlag(cmd, config, "show the request with this `file` instead of the running mapping")
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
