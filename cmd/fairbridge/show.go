package main

import (
	"time"

	"github.com/spf13/cobra"

	"fairbridge/pkg/deadletter"
	"fairbridge/pkg/deliveries"
	"fairbridge/pkg/deliveries/report"
	"fairbridge/pkg/terminal"
)

func newShow(std streams) *cobra.Command {
	var at place
	var config string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "show DELIVERY-ID",
		Short: "Show what became of a delivery, step by step",
		Long: `Shows what is known about a delivery: what it was about, what happened and when,
where its ticket is, the files that Centercode has, and what can be done now. For a
dead letter, and for a waiting delivery in a folder, it also shows the payload and,
field by field, the request that was sent. The id may be shortened to six
characters; on a stack, the whole table is then read. Nothing is changed, and no
message is received. For a dead letter, 'fairbridge dlq show' also shows what a
replay would send.`,
		Example: `  fairbridge show 3f9a2c41
  fairbridge show 3f9a2c41 --json | jq .timeline`,
		Args: exactly("a delivery id, see 'fairbridge find'"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := deadletter.CheckID(args[0]); err != nil {
				return usageError{err}
			}
			return withFinder(cmd.Context(), &at, config, func(finder *deliveries.Finder) error {
				m := terminal.NewMeter(std.err)
				s, err := finder.Show(cmd.Context(), args[0], m.Deliveries)
				m.Clear()
				if err != nil {
					return err
				}
				if asJSON {
					return writeJSON(std.out, s)
				}
				return report.WriteDelivery(std.out, s, at.Place, time.Now())
			})
		},
	}
	at.flags(cmd)
	configFlag(cmd, &config, "the `file` with centercode.ticketUrl, if the running mapping is unknown")
	cmd.Flags().BoolVar(&asJSON, "json", false, "as one JSON object")
	return cmd
}
