package main

import (
	"time"

	"github.com/spf13/cobra"

	"fairbridge/pkg/deadletter"
	"fairbridge/pkg/deadletter/report"
)

func newDeadLettersShow(std streams) *cobra.Command {
	var at place
	var config string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "show DELIVERY-ID",
		Short: "Show everything about a dead letter, and what to do",
		Long: `Shows a dead letter: what went wrong and what to do, the payload, the request that
the running mapping produces, and the ledger's history. --config shows the request
with another fairbridge.yaml. The delivery id may be shortened. The letter is not
received.`,
		Example: `  fairbridge dlq show 3f9a2c41
  fairbridge dlq show 3f9a2c41 --stack fairbridge --config prod.yaml
  fairbridge dlq show 3f9a2c41 --json | jq .payload`,
		Args:              exactly("a delivery id, see 'fairbridge dlq list'"),
		ValidArgsFunction: completeIDs(&at, &selection{}, 1),
		RunE: func(cmd *cobra.Command, ids []string) error {
			filter, err := readWords(deadletter.Words{IDs: ids})
			if err != nil {
				return err
			}
			return withOperator(cmd.Context(), &at, std, func(d *operator) error {
				c, err := d.checker(cmd, config)
				if err != nil {
					return err
				}
				shown, err := d.Show(cmd.Context(), filter, c)
				d.meter.Clear()
				if err != nil {
					return err
				}
				if asJSON {
					return writeJSON(std.out, shown)
				}
				return report.WriteShown(std.out, shown, at.Place, time.Now())
			})
		},
	}
	at.flags(cmd)
	tryFlag(cmd, &config)
	cmd.Flags().BoolVar(&asJSON, "json", false, "as one JSON object")
	return cmd
}
