package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/dustin/go-humanize/english"
	"github.com/spf13/cobra"

	"fairbridge/pkg/embedded"
	"fairbridge/pkg/home"
	"fairbridge/pkg/ledger"
)

func newRestore(std streams) *cobra.Command {
	var folder string
	cmd := &cobra.Command{
		Use:   "restore FILE",
		Short: "Restore the bridge on this machine from a backup",
		Long: `Verifies the backup and puts it into the data folder, which may be empty, or that of
a stopped bridge: the previous file is kept under another name. It accepts what
'fairbridge backup' wrote, and what SQLite's own command could recover from a
damaged file, see docs/operations.md.

A backup does not contain what happened after it was made. Deliveries that were
waiting then are processed again, even if they have a ticket by now; so restore the
latest backup, and never run two bridges from copies of one.`,
		Example: `  fairbridge restore fairbridge-monday.db
  fairbridge restore /backup/fairbridge-2026-11-28.db --data /var/lib/fairbridge`,
		Args: exactly("a FILE to read"),
		RunE: func(cmd *cobra.Command, args []string) error {
			kept, err := embedded.Restore(cmd.Context(), args[0], folder)
			if errors.Is(err, embedded.ErrLocked) {
				return fmt.Errorf("a bridge runs in %s; stop it before its file is replaced", folder)
			}
			if err != nil {
				return err
			}
			fmt.Fprintf(std.out, "Restored %s from %s.\n", folder, args[0])
			if kept != "" {
				fmt.Fprintf(std.out, "What was there before is kept in %s.\n", kept)
			}
			return tellCopy(cmd.Context(), std, folder)
		},
	}
	dataFlag(cmd, &folder)
	return cmd
}

// tellCopy says what the restored copy will process again.
func tellCopy(ctx context.Context, std streams, folder string) (err error) {
	p := place{Place: home.Place{Folder: folder}}
	h, err := home.Open(ctx, home.Config{Place: p.Place})
	if err != nil {
		return p.explain(err)
	}
	defer func() { err = errors.Join(err, h.Close()) }()
	l, err := ledger.New(ledger.Config{Store: h.Ledger})
	if err == nil {
		err = l.NoteRestored(ctx)
	}
	if err != nil {
		return err
	}
	work, err := h.WorkDepth(ctx)
	if err != nil {
		return err
	}
	dead, err := h.Depth(ctx, h.DeadLetterQueueURL)
	if err != nil {
		return err
	}
	fmt.Fprintf(std.out, "%s on their way, %s.\n",
		english.Plural(work.Total(), "delivery", "deliveries"), english.Plural(dead.Total(), "dead letter", ""))
	if work.Total() > 0 {
		fmt.Fprintln(std.out, "Those on their way become tickets when the bridge starts, also where they got theirs after the copy was made.")
	}
	return nil
}
