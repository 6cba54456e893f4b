package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"fairbridge/pkg/deadletter"
	"fairbridge/pkg/queue"
	"fairbridge/pkg/terminal"
)

func newDeadLettersEdit(std streams) *cobra.Command {
	r := replayCall{}
	cmd := &cobra.Command{
		Use:   "edit DELIVERY-ID",
		Short: "Correct a dead letter's payload in an editor, and replay it",
		Long: `Opens the payload in $VISUAL or $EDITOR (otherwise vi), shows the difference, and
replays the result. It is validated as 'dlq replay --set' does, and the old values
are kept in the same way. A removed field becomes null. With --dry-run nothing is
sent, and the request is shown.`,
		Example: `  fairbridge dlq edit 3f9a2c41 --dry-run
  fairbridge dlq edit 3f9a2c41 --wait`,
		Args:              exactly("a delivery id, see 'fairbridge dlq list'"),
		ValidArgsFunction: completeIDs(&r.at, &r.selection, 1),
		RunE: func(cmd *cobra.Command, ids []string) error {
			r.IDs, r.edits = ids, true
			if err := r.check(std); err != nil {
				return err
			}
			return withOperator(cmd.Context(), &r.at, std, func(d *operator) (err error) {
				if r.options.Checker, err = d.checker(cmd, r.config); err != nil {
					return err
				}
				draft, err := d.Draft(cmd.Context(), r.IDs[0])
				if err != nil {
					return err
				}
				if r.options.Sets, err = d.editDraft(cmd.Context(), draft, r.newField); err != nil {
					return err
				}
				if len(r.options.Sets) == 0 {
					return d.print("nothing was changed\n")
				}
				return r.run(cmd.Context(), d)
			})
		},
	}
	r.at.flags(cmd)
	tryFlag(cmd, &r.config)
	f := cmd.Flags()
	f.BoolVar(&r.dryRun, "dry-run", false, "print the request that would be sent, and send nothing")
	f.BoolVar(&r.newField, "new-field", false, "allow a field that is not documented by TestFairy, in the payload or in fairbridge.yaml")
	f.BoolVar(&r.yes, "yes", false, "do not ask for confirmation")
	f.BoolVar(&r.wait, "wait", false, "follow it until it ends")
	f.BoolVar(&r.force, "force", false, fmt.Sprintf("also if it has been replayed %d times already", deadletter.MostReplays))
	f.DurationVar(&r.timeout, "timeout", 30*time.Minute, "how long --wait waits at most")
	complete(cmd, "timeout")
	return cmd
}

// editDraft lets a person edit a draft until it is valid or the person gives up.
func (d *operator) editDraft(ctx context.Context, draft deadletter.Draft, newFields bool) (sets []deadletter.Assignment, err error) {
	dir, err := os.MkdirTemp("", "fairbridge-")
	if err != nil {
		return nil, fmt.Errorf("edit a payload: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	file := filepath.Join(dir, queue.ShortID(draft.DeliveryID)+".json")
	if err := os.WriteFile(file, draft.Text, 0o600); err != nil {
		return nil, fmt.Errorf("edit a payload: %w", err)
	}
	d.meter.Clear()
	for {
		if err := d.openEditor(ctx, file); err != nil {
			return nil, err
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("edit a payload: %w", err)
		}
		sets, err := draft.Corrections(text, newFields)
		if err == nil || !terminal.Is(d.std.in) {
			return sets, err
		}
		d.say("%v", err)
		if yes, asked := ask(ctx, d.std, "Edit it again?"); asked != nil || !yes {
			return nil, cmp.Or(asked, err)
		}
	}
}

// openEditor opens a file in the user's editor, which may be a command with options.
func (d *operator) openEditor(ctx context.Context, file string) error {
	editor := cmp.Or(os.Getenv("VISUAL"), os.Getenv("EDITOR"), "vi")
	cmd := exec.CommandContext(ctx, "sh", "-c", editor+` "$1"`, "sh", file)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = d.std.in, d.std.out, d.std.err
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("edit the payload with %q ($VISUAL, $EDITOR): %w", editor, err)
	}
	return nil
}
