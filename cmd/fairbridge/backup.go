package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"fairbridge/pkg/embedded"
)

func newBackup(std streams) *cobra.Command {
	var folder string
	cmd := &cobra.Command{
		Use:   "backup FILE",
		Short: "Back up the bridge on this machine to a file, even while it runs",
		Long: `Copies everything in the data folder (queues, ledger, secrets) to one new file, as
of this moment. The bridge may continue to run. The copy is verified and on disk
before it gets its name; an existing file is never overwritten. It contains the
secrets, so only its owner can read it.`,
		Example: `  fairbridge backup fairbridge-monday.db
  fairbridge backup /backup/fairbridge-2026-11-28.db --data /var/lib/fairbridge`,
		Args: exactly("a FILE to write"),
		RunE: func(cmd *cobra.Command, args []string) error {
			file := args[0]
			if !embedded.Exists(folder) {
				return fmt.Errorf("there is no bridge in %s to back up; name another folder with --data", folder)
			}
			switch err := embedded.Backup(cmd.Context(), folder, file); {
			case errors.Is(err, fs.ErrExist):
				return usage("%s is there already, and a backup overwrites nothing; name a new file", file)
			case err != nil:
				return err
			}
			info, err := os.Stat(file)
			if err != nil {
				return err
			}
			fmt.Fprintf(std.out, "Backed up %s to %s: %d bytes, verified. It contains the secrets, so keep it safe.\n", folder, file, info.Size())
			return nil
		},
	}
	dataFlag(cmd, &folder)
	return cmd
}
