package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"github.com/spf13/cobra"

	"fairbridge/pkg/home"
	"fairbridge/pkg/home/report"
)

func newStatus(std streams) *cobra.Command {
	var at place
	var config string
	var limit int
	var asJSON, refused, ready bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show the state of the bridge, and what needs a person",
		Long: `Shows the queues, the dead letters, the secrets, whether Centercode answers from this
machine (no key is sent), which mapping runs, what is held, and the last deliveries;
and when TestFairy's REST API ends, if it announces that to the account of
` + userVariable + ` or fairbridge.yaml. Nothing is changed, and no message is received.

The exit code is 1 if something needs a person: feedback waits and no bridge runs in
the folder; a key is missing or rejected; fairbridge.yaml cannot run as it is;
Centercode does not answer, or has not responded to the bridge for 15 minutes;
feedback waits or fails for more than an hour, or is paused for a day; there are dead
letters, or the queue and the ledger differ; a look-up cannot work; and, in the last
24 hours, there were tickets without an id, or refused webhooks that may be
TestFairy's.

--refused shows the last hundred refused webhooks: when, why, their size, and the names
of their fields; for a stack those of the last seven days. --ready only checks whether
the bridge in a folder would accept a webhook, for a container's health check.`,
		Example: `  fairbridge status
  fairbridge status --stack fairbridge-prod --region eu-central-1
  fairbridge status --stack fairbridge-prod --json | jq .problems
  fairbridge status --refused
  fairbridge status --ready`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if limit < 0 || limit > 1000 {
				return usage("--last must be 0 to 1000")
			}
			if ready {
				return askReady(cmd.Context(), std.out, &at)
			}
			return at.use(cmd.Context(), func(t *home.Home) (err error) {
				if refused {
					return showRefused(cmd.Context(), std.out, t, asJSON)
				}
				s := t.Status(cmd.Context(), home.StatusOptions{
					Config: config, Last: limit, TestFairy: outlook(cmd.Context(), t, config),
				})
				if asJSON {
					err = writeJSON(std.out, s)
				} else {
					err = report.WriteStatus(std.out, s, time.Now())
				}
				if err == nil && len(s.Problems) > 0 {
					err = errSaid
				}
				return err
			})
		},
	}
	at.flags(cmd)
	configFlag(cmd, &config, "the `file` with centercode.baseUrl, unless the stack has it")
	cmd.Flags().IntVar(&limit, "last", 10, "how many of the last deliveries to show")
	cmd.Flags().BoolVar(&refused, "refused", false, "show refused webhooks instead")
	cmd.Flags().BoolVar(&ready, "ready", false, "only check whether the bridge in a folder would accept a webhook")
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object")
	cmd.MarkFlagsMutuallyExclusive("ready", "refused")
	cmd.MarkFlagsMutuallyExclusive("ready", "json")
	return cmd
}

func showRefused(ctx context.Context, out io.Writer, h *home.Home, asJSON bool) error {
	refused, err := h.Refusals.Refused(ctx)
	if err != nil {
		return err
	}
	if asJSON {
		return writeJSON(out, refused)
	}
	return report.WriteRefused(out, refused)
}

// askReady fails if the bridge in a folder would not accept a webhook.
func askReady(ctx context.Context, out io.Writer, at *place) error {
	if err := at.check(); err != nil {
		return err
	}
	if at.OnAWS() {
		return usage("--ready is for a folder; a stack's alarms report what its webhook refuses")
	}
	err := home.Ready(ctx, at.Folder)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("no bridge runs in %s; start one: %s", at.Folder, at.Command("run"))
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, "ready")
	return err
}
