package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"fairbridge/pkg/bridge"
	"fairbridge/pkg/terminal"

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
			return writeDemo(std.out, results)
		},
	}
	configFlag(cmd, &config)
	cmd.Flags().StringVar(&events, "events", "events", "folder with the payloads")
	_ = cmd.MarkFlagDirname("events")
	return cmd
}

// writeDemo writes a table of the results.
func writeDemo(out io.Writer, results []bridge.DemoResult) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "PAYLOAD\tHTTP\tOUTCOME\tTICKET\tATTACHMENTS")
	wrong := 0
	for _, r := range results {
		var files []string
		for _, f := range r.Attachments {
			same := "same SHA-256"
			if !f.Same {
				same = "another SHA-256"
			}
			files = append(files, fmt.Sprintf("%s %d bytes, %s", f.Element, f.Bytes, same))
		}
		attachments := strings.Join(files, "; ")
		if r.Problem != "" {
			wrong++
			attachments = strings.TrimSpace(attachments + " WRONG: " + r.Problem)
		}
		fmt.Fprintf(w, "%s\t%d %s\t%s\t%s\t%s\n", r.File, r.Status, http.StatusText(r.Status),
			terminal.Dash(string(r.Outcome)), terminal.Dash(r.TicketID), terminal.Dash(attachments))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if wrong > 0 {
		fmt.Fprintf(out, "\n%d of %s not as expected\n", wrong, terminal.Count(len(results), "payload"))
		return errSaid
	}
	fmt.Fprintf(out, "\n%s, all as they must be\n", terminal.Count(len(results), "payload"))
	return nil
}
