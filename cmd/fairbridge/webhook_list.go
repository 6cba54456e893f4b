package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"fairbridge/pkg/home"
	"fairbridge/pkg/terminal"
	"fairbridge/pkg/testfairy/api"
)

func newWebhookList(std streams) *cobra.Command {
	var at place
	var who account
	var address string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the webhooks that TestFairy has, without their tokens",
		Long: `Lists the account's webhooks. For those of this bridge, TOKEN shows which
of its tokens they have: the current one, the previous one, or a wrong one.`,
		Example: `  fairbridge webhook list --stack fairbridge-prod --user you@example.com`,
		Args:    exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			return at.use(ctx, func(t *home.Home) error {
				r, err := findRegistration(ctx, t, "", address)
				if err != nil {
					return err
				}
				client, err := who.client(ctx, t)
				if err != nil {
					return err
				}
				all, err := client.Webhooks(ctx)
				if err != nil {
					return err
				}
				if asJSON {
					return writeWebhooksJSON(std.out, all, r)
				}
				return writeWebhooks(std.out, all, r)
			})
		},
	}
	cmd.Flags().StringVar(&address, "url", "", "public `address` of the webhook, without the token (default: the stack's)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object a line")
	who.flags(cmd)
	at.flags(cmd)
	return cmd
}

func writeWebhooks(out io.Writer, all []api.Webhook, r api.Registration) error {
	if len(all) == 0 {
		_, err := fmt.Fprintln(out, "no webhooks")
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tON\tNAME\tEVENTS\tPROJECTS\tTOKEN\tADDRESS")
	for _, hook := range all {
		on := "no"
		if hook.Enabled {
			on = "yes"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", hook.ID, on, terminal.Dash(terminal.Printable(hook.Name)), terminal.Dash(terminal.Printable(strings.Join(hook.Actions, ","))),
			terminal.Dash(terminal.Printable(strings.Join(hook.ProjectIDs, ","))), terminal.Dash(r.TokenOf(hook)), terminal.Dash(terminal.Printable(hook.Address())))
	}
	return w.Flush()
}

func writeWebhooksJSON(out io.Writer, all []api.Webhook, r api.Registration) error {
	type line struct {
		Webhook api.Webhook `json:"webhook"`
		Token   string      `json:"token,omitempty"`
	}
	lines := make([]line, len(all))
	for i, hook := range all {
		lines[i] = line{hook, r.TokenOf(hook)}
	}
	return writeJSONLines(out, lines...)
}
