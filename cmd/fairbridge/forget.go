package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/dustin/go-humanize/english"
	"github.com/spf13/cobra"

	"fairbridge/pkg/deadletter"
	"fairbridge/pkg/deadletter/report"
	"fairbridge/pkg/terminal"
)

func newForget(std streams) *cobra.Command {
	var at place
	var dryRun, yes bool
	cmd := &cobra.Command{
		Use:   "forget EMAIL",
		Short: "Remove a person's data from the bridge",
		Long: `Removes the feedback from an email address. Dead letters are dropped, and what
'fairbridge reconcile' was about to send is not sent. Finished deliveries keep the
app, the times and the ticket, so that another copy of the message does not create a
second one. Deliveries that are still on their way are listed and left: run the
command again when they are finished, and also if it was interrupted.

Centercode still has the tickets, which are listed, and TestFairy the sessions.
docs/privacy.md lists other places that may have a copy, such as backups.`,
		Example: `  fairbridge forget tester@example.com --dry-run
  fairbridge forget tester@example.com --stack fairbridge --yes`,
		Args: exactly("an email address"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !yes && !dryRun && !terminal.Is(std.in) {
				return usage("there is no terminal to ask for confirmation: check with --dry-run, then add --yes")
			}
			return withOperator(cmd.Context(), &at, std, func(d *operator) error {
				err := d.forget(cmd.Context(), args[0], dryRun, yes)
				if errors.Is(err, deadletter.ErrNoAddress) {
					return usage("%q is not one email address", args[0])
				}
				return err
			})
		},
	}
	at.flags(cmd)
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "show what would be forgotten, and change nothing")
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask for confirmation")
	return cmd
}

func (d *operator) forget(ctx context.Context, email string, dryRun, yes bool) error {
	p, err := d.Person(ctx, email, d.meter.Deliveries)
	d.meter.Clear()
	if err != nil {
		return err
	}
	if err := report.WritePerson(d.std.out, p); err != nil {
		return err
	}
	found := len(p.Ended) + len(p.Dead)
	if dryRun {
		return d.print("%s would be forgotten\n", terminal.Count(found, "delivery"))
	}
	if !yes {
		if err := d.confirm(ctx, fmt.Sprintf("Forget %s for good?", terminal.Count(found, "delivery")), "nothing was forgotten"); err != nil {
			return err
		}
	}
	before, after, err := d.Forget(ctx, email, d.meter.Deliveries, d.stays)
	d.meter.Clear()
	if err != nil {
		return err
	}
	left := len(after.Ended) + len(after.Dead) + len(after.Left)
	if err := d.print("%s forgotten\n", terminal.Count(max(len(before.Ended)+len(before.Dead)-len(after.Ended)-len(after.Dead), 0), "delivery")); err != nil {
		return err
	}
	if left > 0 {
		d.leave("%s still there: run it again when what is on its way is done", english.Plural(left, "delivery is", "deliveries are"))
	}
	return nil
}
