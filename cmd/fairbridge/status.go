package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"fairbridge/pkg/home"
	"fairbridge/pkg/secrets"
	"fairbridge/pkg/terminal"
)

func newStatus(std streams) *cobra.Command {
	var at place
	var config string
	var limit int
	var asJSON, refused, ready bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show the state of the bridge, and what needs a person",
		Long: `Shows the queues, the dead letters, the secrets, whether Centercode answers from this
machine (no key is sent), which mapping runs, what is held, and the last deliveries;
and when TestFairy's REST API ends, if it announces that to the account of
` + userVariable + ` or fairbridge.yaml. Nothing is changed, and no message is received.

The exit code is 1 if something needs a person: feedback waits and no bridge runs in
the folder; a key is missing or rejected; fairbridge.yaml cannot run as it is;
Centercode does not answer, or has not responded to the bridge for 15 minutes;
feedback waits or fails for more than an hour, or is paused for a day; there are dead
letters, or the queue and the ledger differ; a look-up cannot work; and, in the last
24 hours, there were tickets without an id, or refused webhooks that may be
TestFairy's.

--refused shows the last hundred refused webhooks: when, why, their size, and the names
of their fields; for a stack those of the last seven days. --ready only checks whether
the bridge in a folder would accept a webhook, for a container's health check.`,
		Example: `  fairbridge status
  fairbridge status --stack fairbridge-prod --region eu-central-1
  fairbridge status --stack fairbridge-prod --json | jq .problems
  fairbridge status --refused
  fairbridge status --ready`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if limit < 0 || limit > 1000 {
				return usage("--last must be 0 to 1000")
			}
			if ready {
				return askReady(cmd.Context(), std.out, &at)
			}
			t, err := at.open(cmd.Context())
			if err != nil {
				return err
			}
			defer t.Close()
			if refused {
				return showRefused(cmd.Context(), std.out, t, asJSON)
			}
			s := t.Status(cmd.Context(), home.StatusOptions{
				Config: config, Last: limit, TestFairy: outlook(cmd.Context(), t, &at, config),
			})
			if asJSON {
				enc := json.NewEncoder(std.out)
				enc.SetIndent("", "  ")
				err = enc.Encode(s)
			} else {
				err = writeStatus(std.out, s, time.Now())
			}
			if err == nil && len(s.Problems) > 0 {
				err = errSaid
			}
			return err
		},
	}
	at.flags(cmd)
	cmd.Flags().StringVar(&config, "config", defaultConfig, "the file with centercode.baseUrl, unless the stack has it")
	_ = cmd.MarkFlagFilename("config", "yaml", "yml")
	cmd.Flags().IntVar(&limit, "last", 10, "how many of the last deliveries to show")
	cmd.Flags().BoolVar(&refused, "refused", false, "show refused webhooks instead")
	cmd.Flags().BoolVar(&ready, "ready", false, "only check whether the bridge in a folder would accept a webhook")
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object")
	cmd.MarkFlagsMutuallyExclusive("ready", "refused")
	cmd.MarkFlagsMutuallyExclusive("ready", "json")
	return cmd
}

// askReady fails if the bridge in a folder would not accept a webhook.
func askReady(ctx context.Context, out io.Writer, at *place) error {
	if err := at.check(); err != nil {
		return err
	}
	if at.OnAWS() {
		return usage("--ready is for a folder; a stack's alarms report what its webhook refuses")
	}
	err := home.Ready(ctx, at.Folder)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("no bridge runs in %s; start one: %s", at.Folder, at.Command("run"))
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, "ready")
	return err
}

// writeStatus writes the status as text.
func writeStatus(out io.Writer, s *home.Status, now time.Time) error {
	var b bytes.Buffer
	screen := terminal.ScreenOf(out)
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	switch {
	case s.Stack != "":
		fmt.Fprintf(w, "bridge\tstack %s\n", s.Stack)
	case s.Runs != nil && *s.Runs:
		fmt.Fprintf(w, "bridge\tfolder %s, running\n", s.Data)
	default:
		fmt.Fprintf(w, "bridge\tfolder %s, not running\n", s.Data)
	}
	line := func(name, text string) {
		if text != "" {
			fmt.Fprintf(w, "%s\t%s\n", name, text)
		}
	}
	if s.Runs == nil || *s.Runs {
		line("webhook", s.Webhook)
	}
	line("mapping", mappingText(s.Mapping))
	line("work queue", depthText(s.Work, now))
	line("dead letters", lettersText(s.DeadLetters, now))
	line("Centercode", centercodeText(s.Centercode))
	for _, secret := range s.Secrets {
		text := secret.String()
		if !secret.Exists && !secret.Hidden && secret.Name == secrets.TestFairyAPIKey {
			text += " (needed for session logs, 'fairbridge webhook' and 'fairbridge reconcile' only)"
		}
		line(secret.Name, text)
	}
	line("dashboard", s.Dashboard)
	if err := w.Flush(); err != nil {
		return err
	}
	if err := writeDeliveries(&b, s, now); err != nil {
		return err
	}
	if len(s.Notes) > 0 {
		fmt.Fprintln(&b)
	}
	for _, note := range s.Notes {
		fmt.Fprintln(&b, terminal.Printable(note))
	}
	if len(s.Problems) == 0 {
		fmt.Fprintf(&b, "\n%s\n", screen.Good("Nothing needs a person."))
	} else {
		fmt.Fprintf(&b, "\n%s\n", screen.Bad("This needs a person:"))
		for _, p := range s.Problems {
			fmt.Fprintf(&b, "  %s\n", terminal.Printable(p))
		}
	}
	_, err := out.Write(b.Bytes())
	return err
}

func writeDeliveries(out io.Writer, s *home.Status, now time.Time) error {
	if len(s.Deliveries) == 0 {
		return nil
	}
	fmt.Fprintln(out)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "AGE\tSTATE\tTICKET\tATTEMPTS\tDELIVERY\tLAST FAULT")
	for _, d := range s.Deliveries {
		fault := ""
		if d.Last != nil {
			fault = terminal.Shorten(terminal.Printable(d.Last.Stage+": "+d.Last.Text), 80)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\t%s\n", age(now.Sub(d.UpdatedAt)), d.State,
			terminal.Dash(terminal.Printable(d.TicketID)), d.Attempts, shortID(d.DeliveryID), terminal.Dash(fault))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if s.Partial {
		fmt.Fprintln(out, "The ledger is large: these are the last of a part of it. The dashboard has all.")
	}
	return nil
}

func mappingText(m *home.MappingStatus) string {
	if m == nil {
		return ""
	}
	text := fmt.Sprintf("%.12s, since %s", m.Hash, m.Since.UTC().Format(time.RFC3339))
	if m.File != "" {
		text += ", " + m.File
	}
	if m.Differs {
		text += ", which differs"
	}
	return terminal.Printable(text)
}

func depthText(q *home.QueueDepth, now time.Time) string {
	if q == nil {
		return ""
	}
	return fmt.Sprintf("%d waiting, %d in work, %d delayed", q.Waiting, q.InWork, q.Delayed) + oldestText(q, now)
}

func lettersText(q *home.QueueDepth, now time.Time) string {
	if q == nil {
		return ""
	}
	return fmt.Sprint(q.Total()) + oldestText(q, now)
}

func oldestText(q *home.QueueDepth, now time.Time) string {
	if q.Oldest.IsZero() {
		return ""
	}
	return ", the oldest from " + age(now.Sub(q.Oldest)) + " ago"
}

func centercodeText(c home.CentercodeStatus) string {
	switch {
	case c.Note != "":
		return c.Note
	case c.Answers:
		return fmt.Sprintf("%s answers (HTTP %d, %d ms)", c.BaseURL, c.Status, c.Took)
	}
	return c.BaseURL + " is not responding correctly"
}
