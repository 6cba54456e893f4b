package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"fairbridge/pkg/home"
)

func newPause(std streams) *cobra.Command {
	var at place
	var p home.PauseRequest
	cmd := &cobra.Command{
		Use:   "pause --because TEXT",
		Short: "Hold deliveries, for example during maintenance of Centercode",
		Long: `Holds the deliveries of one project, or of all, until 'fairbridge resume' or the
end of --for. Webhooks are still accepted, and wait. 'fairbridge status' shows who
paused, why and until when.

A stack requires --for, and can be paused for at most 7 days from the first pause
without a resume: SQS does not keep messages for ever.`,
		Example: `  fairbridge pause --because "Centercode is upgraded tonight" --for 6h
  fairbridge pause --because "wrong form" --project BETA7 --stack fairbridge-prod --for 2h`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case p.Because == "":
				return usage("give the reason with --because: others will ask")
			case p.For < 0 || p.For == 0 && cmd.Flags().Changed("for"):
				return usage("--for must be longer than 0, such as 2h")
			}
			return at.use(cmd.Context(), func(t *home.Home) error {
				p.Who = t.Operator(cmd.Context())
				s, err := t.Pause(cmd.Context(), p, time.Now())
				if refused, ok := errors.AsType[*home.PauseError](err); ok {
					return usageError{refused}
				}
				if err != nil {
					return err
				}
				until := "until: " + t.Command("resume"+ofProject(p.Project))
				if !s.Pause.Until.IsZero() {
					until = "until " + s.Pause.Until.Local().Format(time.RFC3339)
				}
				_, err = fmt.Fprintf(std.out, "paused %s\nNo new request is sent; those that are being sent are finished.\n", until)
				return err
			})
		},
	}
	at.flags(cmd)
	cmd.Flags().StringVar(&p.Because, "because", "", "the `reason`, which status shows (required)")
	cmd.Flags().DurationVar(&p.For, "for", 0, "how long, such as 90m or 2h (default: until resume)")
	cmd.Flags().StringVar(&p.Project, "project", "", "the `key` of one Centercode project (default: all)")
	return cmd
}

func newResume(std streams) *cobra.Command {
	var at place
	var project string
	cmd := &cobra.Command{
		Use:   "resume",
		Short: "End a pause, and try Centercode at once",
		Long: `Ends a pause. Held deliveries continue within a minute in a folder, and within a
quarter of an hour on a stack. A Centercode that was not responding is tried at
once, instead of at the next probe.`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return at.use(cmd.Context(), func(t *home.Home) error {
				if err := t.Resume(cmd.Context(), project); err != nil {
					return err
				}
				_, err := fmt.Fprintln(std.out, "resumed")
				return err
			})
		},
	}
	at.flags(cmd)
	cmd.Flags().StringVar(&project, "project", "", "the `key` of one Centercode project (default: the pause of all)")
	return cmd
}

func ofProject(project string) string {
	if project == "" {
		return ""
	}
	return " --project " + project
}
