package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"fairbridge/pkg/deadletter"
	"fairbridge/pkg/queue"
	"fairbridge/pkg/terminal"
)

func newDeadLettersExport(std streams) *cobra.Command {
	var at place
	var s selection
	var file string
	cmd := &cobra.Command{
		Use:   "export [DELIVERY-ID...]",
		Short: "Write dead letters as JSON Lines",
		Long: `Writes dead letters with everything that 'import' needs to restore them, one JSON
object a line, the oldest first: those with the given ids, those that match a
filter, or all. They stay in the queue. The output contains what testers wrote, so
keep it as safe as that.`,
		Example: `  fairbridge dlq export --output letters.jsonl
  fairbridge dlq export --stack fairbridge --reason rejected | jq -r .body`,
		ValidArgsFunction: completeIDs(&at, &s, 0),
		RunE: func(cmd *cobra.Command, ids []string) error {
			s.IDs = ids
			if len(ids) > 0 && s.Any() {
				return usage("delivery ids and filters exclude each other")
			}
			filter, err := readWords(s.Words)
			if err != nil {
				return err
			}
			return withOperator(cmd.Context(), &at, std, func(d *operator) error {
				_, err := d.export(cmd.Context(), filter, ids, file)
				return err
			})
		},
	}
	at.flags(cmd)
	s.flags(cmd)
	cmd.Flags().StringVarP(&file, "output", "o", "-", "`file` to write, which must not exist; - is standard output")
	return cmd
}

// export writes the selected dead letters.
func (d *operator) export(ctx context.Context, filter deadletter.Filter, ids []string, file string) (exported int, err error) {
	in, err := d.Select(ctx, deadletter.Query{Filter: filter, Bodies: true})
	if err != nil {
		return 0, err
	}
	if err := in.Hold.Release(ctx); err != nil {
		return 0, err
	}
	if err := d.absent(ctx, in, ids); err != nil {
		return 0, err
	}
	whole, held, err := d.Export(ctx, in.Cases)
	if err != nil {
		return 0, err
	}
	for _, c := range held {
		d.leave("%s was not exported: a worker is processing it", queue.ShortID(c.DeliveryID))
	}
	if err := exportTo(file, d.std.out, whole); err != nil {
		return 0, err
	}
	d.say("%s exported", terminal.Count(len(whole), "dead letter"))
	return len(whole), nil
}

// exportTo writes to a file that only its owner can read, or to out.
func exportTo(file string, out io.Writer, cases []deadletter.Case) error {
	if file == "-" {
		return writeExport(out, cases)
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("export dead letters: %w", err)
	}
	if err := errors.Join(writeExport(f, cases), f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("export dead letters to %s: %w", file, err)
	}
	return nil
}

func writeExport(out io.Writer, cases []deadletter.Case) error {
	w := bufio.NewWriter(out)
	for _, c := range cases {
		if err := deadletter.WriteLetter(w, c.Letter); err != nil {
			return err
		}
	}
	return w.Flush()
}
