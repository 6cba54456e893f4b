package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"fairbridge/pkg/deadletter"
	"fairbridge/pkg/home"
	"fairbridge/pkg/terminal"
)

// settling is how long SQS may take to apply a changed attribute everywhere. See
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html
const settling = time.Minute

type undeployCall struct {
	at     place
	who    account
	export string
	keep   bool // the webhook at TestFairy
	reopen bool
	yes    bool
	settle time.Duration
}

func newUndeploy(std streams) *cobra.Command {
	c := undeployCall{}
	cmd := &cobra.Command{
		Use:   "undeploy --stack NAME",
		Short: "Delete a stack, unless feedback would be lost with it",
		Long: `Deletes the stack of a bridge on AWS. It refuses, and changes nothing, while feedback
waits or is a dead letter; with --export FILE the dead letters are first written there,
as by 'dlq export', and no longer count.

The webhook is removed from TestFairy, or instructions for that are printed. Then the
work queue refuses new messages, and the command waits for the last ones; if one
becomes a dead letter, the stack continues as before.

The ledger's table and the secrets are kept. The output says how a new stack can use
them.`,
		Example: `  fairbridge undeploy --stack fairbridge --user you@example.com
  fairbridge undeploy --stack fairbridge --export letters.jsonl`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case !c.at.OnAWS():
				return usage("undeploy is for a stack; name it with --stack")
			case c.settle < 0:
				return usage("--settle must not be negative")
			case !c.yes && !c.reopen && !terminal.Is(std.in):
				return usage("there is no terminal to ask for confirmation: add --yes")
			}
			return withOperator(cmd.Context(), &c.at, std, func(d *operator) error { return c.run(cmd.Context(), d) })
		},
	}
	c.at.flags(cmd)
	c.who.flags(cmd)
	flags := cmd.Flags()
	flags.StringVar(&c.export, "export", "", "`file` for the dead letters, which must not exist")
	flags.BoolVar(&c.keep, "keep-webhook", false, "keep the webhook at TestFairy, for a stack with the same domain")
	flags.BoolVar(&c.reopen, "reopen", false, "only make the webhook accept feedback again, after an undeploy that was killed")
	flags.DurationVar(&c.settle, "settle", settling, "how long to wait for the last messages")
	flags.BoolVar(&c.yes, "yes", false, "do not ask for confirmation")
	return cmd
}

func (c *undeployCall) run(ctx context.Context, d *operator) error {
	if c.reopen {
		return d.target.Reopen(ctx)
	}
	exported, err := c.rescue(ctx, d)
	if err != nil {
		return err
	}
	if !c.yes {
		if err := d.confirm(ctx, fmt.Sprintf("Delete the stack %s?", d.target.Stack), "nothing was deleted"); err != nil {
			return err
		}
	}
	if err := c.removeWebhook(ctx, d); err != nil {
		return err
	}
	err = d.target.Undeploy(ctx, home.UndeployOptions{
		Exported: exported, Settle: c.settle, Patience: 15 * time.Minute, Every: min(5*time.Second, c.settle/4+time.Millisecond),
		Progress: func(text string) { d.say("%s", text) },
	})
	if left, ok := errors.AsType[*home.LeftError](err); ok {
		d.say("the stack continues as before; %s registers the webhook again", d.target.Command("webhook register"))
		return c.refuse(d, left.Left)
	}
	if err != nil {
		return err
	}
	return d.print(`%s is deleted.

What stays is the ledger's table %s, with all dead letters that it knew, and the
secrets under %s. To come back, deploy with the parameter LedgerTableName=%s
For good: aws dynamodb delete-table --table-name %s
`, d.target.Stack, d.target.LedgerTable, d.target.SecretsPrefix, d.target.LedgerTable, d.target.LedgerTable)
}

// rescue exports the dead letters if requested, and refuses if anything else would be lost.
func (c *undeployCall) rescue(ctx context.Context, d *operator) (exported int, err error) {
	left, err := d.target.Left(ctx)
	if err != nil {
		return 0, err
	}
	if left.Dead > 0 && c.export != "" {
		if exported, err = d.export(ctx, deadletter.Filter{}, nil, c.export); err != nil || d.left {
			return 0, cmp.Or(err, errSaid)
		}
	}
	if left.Dead = max(left.Dead-exported, 0); left.Any() {
		return 0, c.refuse(d, left)
	}
	return exported, nil
}

// refuse says what would be lost, and what to do.
func (c *undeployCall) refuse(d *operator, left home.Left) error {
	if left.Waiting > 0 {
		d.say("%d waiting in the queue would be lost with it: wait until they are tickets; %s", left.Waiting, d.target.Command("status"))
	}
	if left.Dead > 0 {
		d.say("%d dead letters would be lost with it: %s, or take them along with --export FILE", left.Dead, d.target.Command("dlq list"))
	}
	return errSaid
}

// removeWebhook removes the stack's webhook from TestFairy, or says how a person can.
func (c *undeployCall) removeWebhook(ctx context.Context, d *operator) error {
	if c.keep {
		return nil
	}
	r, err := findRegistration(ctx, d.target, "", "")
	if err != nil {
		return err
	}
	client, err := c.who.client(ctx, d.target)
	if errors.Is(err, errNoAccount) {
		d.say("%v", err)
		d.say("remove the webhook yourself: Preferences > Integrations in TestFairy's dashboard, %q to %s", r.Name, r.Address())
		return nil
	}
	if err != nil {
		return err
	}
	all, err := client.Webhooks(ctx)
	if err != nil {
		return err
	}
	for _, w := range all {
		if !r.LeadsHere(w) {
			continue
		}
		if err := client.DeleteWebhook(ctx, w.ID); err != nil {
			return err
		}
		d.say("removed from TestFairy: %s", describe(w))
	}
	return nil
}
