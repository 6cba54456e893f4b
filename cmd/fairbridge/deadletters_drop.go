package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"fairbridge/pkg/deadletter"
	"fairbridge/pkg/queue"
	"fairbridge/pkg/terminal"
)

func newDeadLettersDrop(std streams) *cobra.Command {
	c := dropCall{}
	cmd := &cobra.Command{
		Use:   "drop [DELIVERY-ID...]",
		Short: "Drop dead letters, with a reason that the ledger keeps",
		Long: `Deletes dead letters: those with the given delivery ids (which may be shortened),
those that match a filter, or all. The ledger keeps the reason for 35 days, and
skips copies of a dropped letter that appear later. To be able to restore letters,
export them first: imported letters can be replayed.

--done deletes only finished letters, which are old copies of deliveries that are
completed or were dropped, and needs no reason.`,
		Example: `  fairbridge dlq drop 3f9a2c41 --because "a tester's joke"
  fairbridge dlq drop --done
  fairbridge dlq drop --reason unroutable --app 'Old App*' --because 'the app is gone' --yes`,
		ValidArgsFunction: completeIDs(&c.at, &c.selection, 0),
		RunE: func(cmd *cobra.Command, ids []string) error {
			c.IDs = ids
			if err := c.check(std); err != nil {
				return err
			}
			return withOperator(cmd.Context(), &c.at, std, func(d *operator) error { return c.run(cmd.Context(), d) })
		},
	}
	c.at.flags(cmd)
	c.selection.flags(cmd)
	cmd.Flags().BoolVar(&c.all, "all", false, "every dead letter")
	cmd.Flags().BoolVar(&c.done, "done", false, "letters whose delivery is completed or dropped already")
	cmd.Flags().StringVar(&c.because, "because", "", "the `reason` (required)")
	cmd.Flags().BoolVar(&c.yes, "yes", false, "do not ask for confirmation")
	complete(cmd, "because")
	return cmd
}

type dropCall struct {
	selection
	at        place
	because   string
	yes, done bool
	filter    deadletter.Filter
}

func (c *dropCall) check(std streams) (err error) {
	if c.done {
		if len(c.IDs) > 0 || c.Any() || c.all || c.because != "" {
			return usage("--done selects the letters and is the reason; use it alone")
		}
		return nil
	}
	if err := c.one("drop"); err != nil {
		return err
	}
	if c.filter, err = readWords(c.Words); err != nil {
		return err
	}
	if c.because = queue.Describe(c.because); c.because == "" {
		return usage("give the reason with --because; the ledger keeps it")
	}
	if !c.yes && !terminal.Is(std.in) {
		return usage("there is no terminal to ask for confirmation: check with 'dlq list', then add --yes")
	}
	return nil
}

func (c *dropCall) run(ctx context.Context, d *operator) error {
	in, err := d.Select(ctx, deadletter.Query{Filter: c.filter, Payloads: !c.yes && !c.done, Entries: !c.yes || c.done})
	if err != nil {
		return err
	}
	defer func() {
		if err := in.Hold.Release(ctx); err != nil {
			d.leave("%v", err)
		}
	}()
	if err := d.absent(ctx, in, c.IDs); err != nil {
		return err
	}
	stays := func(l deadletter.Case, err error) { d.stays(l.DeliveryID, err) }
	if c.done {
		return d.print("%s dropped that were done already\n", terminal.Count(d.DropDone(ctx, in, stays), "dead letter"))
	}
	if len(in.Cases) > 0 && !c.yes {
		d.meter.Clear()
		if err := pageOf(d.std.out, d.target.Place).List(in); err != nil {
			return err
		}
		if err := d.confirm(ctx, fmt.Sprintf("Drop %s for good?", terminal.Count(len(in.Cases), "dead letter")), "nothing was dropped"); err != nil {
			return err
		}
	}
	return d.print("%s dropped\n", terminal.Count(d.Drop(ctx, in, c.because, stays), "dead letter"))
}
