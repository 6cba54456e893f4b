package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"fairbridge/pkg/bridge"
	"fairbridge/pkg/bridge/report"

	"github.com/spf13/cobra"
)

// demoTimeout is much longer than the demo should take.
const demoTimeout = 2 * time.Minute

func newDemo(std streams) *cobra.Command {
	var config, events string
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Send every sample payload through a temporary bridge",
		Long: `Starts a bridge with free ports and a temporary folder in front of the simulator,
sends it every payload, waits until everything is done, and prints the result of
each. The exit code is 1 if any result is not as expected.`,
		Example: `  fairbridge demo
  fairbridge demo --config my.yaml --events my-payloads/`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			loaded, err := loadConfig(config)
			if err != nil {
				return err
			}
			files, err := filepath.Glob(filepath.Join(events, "*.json"))
			if err != nil || len(files) == 0 {
				return fmt.Errorf("there are no payloads (*.json) in %s", events)
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), demoTimeout)
			defer cancel()
			results, err := bridge.Demo(ctx, loaded, files)
			if err != nil {
				return err
			}
			asExpected, err := report.WriteDemo(std.out, results)
			if err == nil && !asExpected {
				err = errSaid
			}
			return err
		},
	}
	configFlag(cmd, &config, mappingUse)
	cmd.Flags().StringVar(&events, "events", "events", "`folder` with the payloads")
	_ = cmd.MarkFlagDirname("events")
	return cmd
}
