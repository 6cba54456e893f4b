package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"fairbridge/pkg/deadletter"
	"fairbridge/pkg/queue"
	"fairbridge/pkg/terminal"
)

func newDeadLettersDrop(std streams) *cobra.Command {
	c := dropCall{}
	cmd := &cobra.Command{
		Use:   "drop [DELIVERY-ID...]",
		Short: "Give dead letters up, with a reason that the ledger keeps",
		Long: `Deletes dead letters: those named by their delivery id (its first characters are
enough), those that a filter means, or all. The ledger keeps the reason for 35
days, and a copy of a dropped letter that turns up later is passed over. To have
them back export them first: what is imported again can be replayed.`,
		Example: `  fairbridge dlq drop 3f9a2c41 --because "a tester's joke"
  fairbridge dlq drop --reason unroutable --app 'Old App*' --because 'the app is gone' --yes`,
		ValidArgsFunction: completeIDs(&c.at, &c.selection, 0),
		PreRunE: func(_ *cobra.Command, ids []string) error {
			c.ids = ids
			return c.check(std)
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withDesk(cmd.Context(), &c.at, std, func(d *desk) error { return c.run(cmd.Context(), d) })
		},
	}
	c.at.flags(cmd)
	c.selection.flags(cmd)
	cmd.Flags().BoolVar(&c.all, "all", false, "every dead letter")
	cmd.Flags().StringVar(&c.because, "because", "", "why, in your words (required)")
	cmd.Flags().BoolVar(&c.yes, "yes", false, "do not ask")
	_ = cmd.RegisterFlagCompletionFunc("because", cobra.NoFileCompletions)
	return cmd
}

// dropCall is what 'dlq drop' was asked to do.
type dropCall struct {
	selection
	at      place
	because string
	yes     bool
	filter  deadletter.Filter
	left    bool
}

func (c *dropCall) check(std streams) (err error) {
	if err := c.one("drop"); err != nil {
		return err
	}
	if c.filter, err = c.selection.filter(time.Now()); err != nil {
		return err
	}
	if c.because = queue.Describe(c.because); c.because == "" {
		return usage("say why with --because; the ledger keeps it")
	}
	if !c.yes && !isTerminal(std.in) {
		return usage("there is nobody to ask here: look first with 'dlq list', then add --yes")
	}
	return nil
}

func (c *dropCall) run(ctx context.Context, d *desk) (err error) {
	in, err := d.Select(ctx, deadletter.Wish{Filter: c.filter, Payloads: !c.yes})
	if err != nil {
		return err
	}
	defer func() {
		if released := in.Hold.Release(ctx); released != nil {
			d.say("%v", released)
			c.left = true
		}
		if err == nil && c.left {
			err = errSaid
		}
	}()
	if c.left, err = d.absent(ctx, in, c.ids, false); err != nil {
		return err
	}
	if len(in.Cases) > 0 && !c.yes {
		d.meter.clear()
		if err := writeLetters(d.std.out, in.Cases, in.Deliveries, time.Now()); err != nil {
			return err
		}
		yes, err := d.ask(ctx, fmt.Sprintf("Drop %s for good?", terminal.Count(len(in.Cases), "dead letter")))
		if err != nil {
			return err
		}
		if !yes {
			d.say("nothing was dropped")
			c.left = true
			return nil
		}
	}
	dropped := d.Drop(ctx, in, c.because, func(l deadletter.Case, err error) {
		d.say("%s stays: %v", shortID(l.DeliveryID), err)
		c.left = true
	})
	return d.print("%s dropped\n", terminal.Count(dropped, "dead letter"))
}
