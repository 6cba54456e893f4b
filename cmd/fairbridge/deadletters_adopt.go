package main

import (
	"context"

	"github.com/spf13/cobra"

	"fairbridge/pkg/deadletter"
	"fairbridge/pkg/queue"
	"fairbridge/pkg/terminal"
)

func newDeadLettersAdopt(std streams) *cobra.Command {
	var at place
	cmd := &cobra.Command{
		Use:   "adopt",
		Short: "Record every dead letter in the ledger",
		Long: `Receives every dead letter once, and records those that the ledger does not know:
letters that SQS itself moved, and those of an earlier version. From then on they
can be shown without being received, and outlive the queue's 14 days. Copies are
removed, and so are letters of deliveries that are completed or dropped; the others
stay in the queue. It can be run again.`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withOperator(cmd.Context(), &at, std, func(d *operator) error { return d.adopt(cmd.Context()) })
		},
	}
	at.flags(cmd)
	return cmd
}

func (d *operator) adopt(ctx context.Context) error {
	stayed := 0
	result, err := d.Adopt(ctx, func(l deadletter.Letter, err error) {
		d.leaveOneOf(&stayed, "%s was not adopted: %v", queue.ShortID(l.DeliveryID), err)
	})
	if err != nil {
		return err
	}
	return d.print("%s known to the ledger, %d removed\n", terminal.Count(result.Letters, "dead letter"), result.Removed)
}
