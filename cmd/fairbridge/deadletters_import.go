package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"fairbridge/pkg/deadletter"
	"fairbridge/pkg/queue"
	"fairbridge/pkg/terminal"
)

func newDeadLettersImport(std streams) *cobra.Command {
	var at place
	cmd := &cobra.Command{
		Use:   "import FILE",
		Short: "Add exported dead letters to the queue",
		Long: `Reads what 'export' wrote, and adds each letter to the dead-letter queue, where it
can be replayed. If a line is invalid, nothing is added. A letter that is still in
the queue becomes a copy; a replay sends one of them. The other home's ledger entry
is merged: a completed delivery is not done again, and an existing ticket is not
created again. Stop the other home first, or drop its copy. "-" reads standard
input.`,
		Example: `  fairbridge dlq import letters.jsonl
  fairbridge dlq export --stack old | fairbridge dlq import - --stack new`,
		Args: exactly("the file that 'fairbridge dlq export' wrote"),
		RunE: func(cmd *cobra.Command, args []string) error {
			letters, err := readExport(args[0], std.in)
			if err != nil {
				return err
			}
			return withOperator(cmd.Context(), &at, std, func(d *operator) error { return d.importLetters(cmd.Context(), letters) })
		},
	}
	at.flags(cmd)
	return cmd
}

func readExport(file string, in io.Reader) ([]deadletter.Letter, error) {
	f, err := openInput(file, in)
	if err != nil {
		return nil, fmt.Errorf("import dead letters: %w", err)
	}
	defer f.Close()
	letters, err := deadletter.ReadLetters(f)
	if err != nil {
		return nil, fmt.Errorf("import dead letters from %s: %w", file, err)
	}
	return letters, nil
}

func (d *operator) importLetters(ctx context.Context, letters []deadletter.Letter) error {
	failed := 0
	imported := d.Import(ctx, letters, func(l deadletter.Letter, err error) {
		d.leaveOneOf(&failed, "%s was not imported: %v", queue.ShortID(l.DeliveryID), err)
	})
	summary := terminal.Count(imported.Letters, "dead letter") + " imported"
	if imported.Done > 0 {
		summary += fmt.Sprintf(", %d done already", imported.Done)
	}
	if err := d.print("%s\n", summary); err != nil {
		return err
	}
	if failed > 0 {
		d.say("%s not imported", terminal.Count(failed, "dead letter"))
	}
	return nil
}
