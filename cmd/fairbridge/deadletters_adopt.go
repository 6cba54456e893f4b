package main

import (
	"context"

	"github.com/spf13/cobra"

	"fairbridge/pkg/deadletter"
	"fairbridge/pkg/terminal"
)

func newDeadLettersAdopt(std streams) *cobra.Command {
	var at place
	cmd := &cobra.Command{
		Use:   "adopt",
		Short: "Have the ledger know of every dead letter",
		Long: `Receives every dead letter once, and writes into the ledger those that it does not
know: those that SQS itself moved, and those that an earlier version wrote. From then
on they can be looked at without being received, and outlive the queue's 14 days.
Copies go, and letters of deliveries that are completed or dropped; the others stay
in their place. It may be called again.`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withDesk(cmd.Context(), &at, std, func(d *desk) error { return d.adopt(cmd.Context()) })
		},
	}
	at.flags(cmd)
	return cmd
}

func (d *desk) adopt(ctx context.Context) error {
	stayed := 0
	result, err := d.Adopt(ctx, func(l deadletter.Letter, err error) {
		if stayed++; stayed <= mostSaid {
			d.say("%s was not adopted: %v", shortID(l.DeliveryID), err)
		}
	})
	if err != nil {
		return err
	}
	if err := d.print("%s known to the ledger, %d removed\n", terminal.Count(result.Letters, "dead letter"), result.Removed); err != nil {
		return err
	}
	if stayed > 0 {
		return errSaid
	}
	return nil
}
