package main

import (
	"cmp"
	"fmt"
	"io"
	"runtime"

	"github.com/spf13/cobra"

	"fairbridge/pkg/version"
)

func newVersion(std streams) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  exactly(),
		RunE: func(*cobra.Command, []string) error {
			_, err := io.WriteString(std.out, versionText())
			return err
		},
	}
}

func versionText() string {
	return fmt.Sprintf("fairbridge %s, commit %s, %s %s/%s\n",
		version.Number, cmp.Or(version.Commit(), "unknown"), runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
