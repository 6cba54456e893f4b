package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"fairbridge/pkg/deadletter"
	"fairbridge/pkg/home"
	"fairbridge/pkg/reconcile"
	"fairbridge/pkg/reconcile/report"
	"fairbridge/pkg/terminal"
	"fairbridge/pkg/testfairy/api"
)

type reconciling struct {
	at                            place
	who                           account
	since                         string
	from                          time.Time // parsed from since
	asJSON, dryRun, yes, backfill bool
	std                           streams
}

func newReconcile(std streams) *cobra.Command {
	c := reconciling{std: std}
	cmd := &cobra.Command{
		Use:   "reconcile",
		Short: "Find feedback whose webhook never came, and send it",
		Long: `Compares TestFairy's list of feedbacks with the ledger, and shows those that are not
simply present: missing, whose webhook never came; recent, which may still come;
dead, a dead letter; unknown, which may be older than what the ledger keeps;
ambiguous, where a delivery may be this feedback or a similar one. After you confirm,
the missing ones are sent to the bridge's webhook, once each, as ordinary deliveries
with the field "reconciled". Ambiguous ones are never sent, unknown ones only with
--backfill. A webhook that arrives later becomes a dead letter, never a second ticket.

TestFairy lists only its 100 latest feedbacks, so run this often enough. It needs the
account's email address (--user or ` + userVariable + `) and its API key, as 'fairbridge
webhook' does, and a running bridge to send to. The exit code is 1 if something is
left: not sent, or ambiguous.`,
		Example: `  fairbridge reconcile --dry-run --user you@example.com
  fairbridge reconcile --stack fairbridge-prod --since 2d --yes
  fairbridge reconcile --dry-run --json | jq 'select(.state == "missing")'`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error { return c.run(cmd.Context()) },
	}
	cmd.Flags().StringVar(&c.since, "since", "", "those recorded at that `time` or later: 2026-01-31, 2026-01-31T08:00:00Z, or 36h, 2d (ago)")
	cmd.Flags().BoolVar(&c.dryRun, "dry-run", false, "show what is missing, and send nothing")
	cmd.Flags().BoolVar(&c.yes, "yes", false, "do not ask for confirmation")
	cmd.Flags().BoolVar(&c.backfill, "backfill", false, "also send unknown feedbacks: only if you know that they have no tickets")
	cmd.Flags().BoolVar(&c.asJSON, "json", false, "one JSON object a line")
	c.who.flags(cmd)
	c.at.flags(cmd)
	return cmd
}

func (c *reconciling) run(ctx context.Context) (err error) {
	if c.since != "" {
		if c.from, err = deadletter.ParseTime(c.since, time.Now()); err != nil {
			return usage("--since: %w", err)
		}
	}
	if !c.dryRun && !c.yes && !terminal.Is(c.std.in) {
		return usage("there is no terminal to ask for confirmation: check with --dry-run, then add --yes")
	}
	return c.at.use(ctx, func(t *home.Home) error { return c.reconcile(ctx, t) })
}

func (c *reconciling) reconcile(ctx context.Context, t *home.Home) error {
	client, err := c.who.client(ctx, t)
	if err != nil {
		return err
	}
	webhook := ""
	if !c.dryRun {
		if webhook, err = webhookOf(ctx, t, ""); err != nil {
			return err
		}
	}
	config, err := reconcile.OfHome(t, webhook)
	if err != nil {
		return err
	}
	m := terminal.NewMeter(c.std.err)
	config.TestFairy, config.Pages = client, client.Pages()
	config.Progress = m.Deliveries
	r, err := reconcile.New(config)
	if err != nil {
		return err
	}
	found, err := r.Look(ctx)
	m.Clear()
	if errors.Is(err, api.ErrGone) {
		return errors.New(reconcile.Gone)
	}
	if err != nil {
		return err
	}
	return c.act(ctx, r, found, m)
}

// act shows the report, and sends what has to be sent.
func (c *reconciling) act(ctx context.Context, r *reconcile.Reconciler, found *reconcile.Report, m *terminal.Meter) error {
	items := found.Since(c.from)
	if !c.asJSON {
		if err := report.Write(c.std.out, found, items); err != nil {
			return err
		}
	}
	sendable := len(found.Sendable(c.from, c.backfill))
	send := sendable > 0 && !c.dryRun
	if send && !c.yes {
		var err error
		if send, err = ask(ctx, c.std, fmt.Sprintf("Send %s to the bridge?", terminal.Count(sendable, "feedback"))); err != nil {
			return err
		}
	}
	sent := 0
	var failed error
	if send {
		failed = r.Send(ctx, found, c.from, c.backfill, func(i *reconcile.Item) {
			m.Clear()
			if i.Sent {
				sent++
				m.Show("sending", sent, sendable)
			} else {
				fmt.Fprintf(c.std.err, "fairbridge: feedback %s is not sent: %s\n", terminal.Printable(i.FeedbackID), terminal.Printable(i.Why))
			}
		})
		m.Clear()
	}
	if err := c.writeResult(items, sendable, sent); err != nil {
		return errors.Join(failed, err)
	}
	if failed != nil {
		return failed
	}
	for _, i := range items {
		if i.State == reconcile.Missing || i.State == reconcile.Ambiguous {
			return errSaid
		}
	}
	return nil
}

func (c *reconciling) writeResult(items []*reconcile.Item, sendable, sent int) error {
	if c.asJSON {
		return writeJSONLines(c.std.out, items...)
	}
	var err error
	switch {
	case sendable == 0:
	case c.dryRun:
		_, err = fmt.Fprintf(c.std.out, "\n%s would be sent\n", terminal.Count(sendable, "feedback"))
	default:
		_, err = fmt.Fprintf(c.std.out, "\n%s sent\n", terminal.Count(sent, "feedback"))
	}
	return err
}
