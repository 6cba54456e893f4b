package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"fairbridge/pkg/deadletter"
	"fairbridge/pkg/deadletter/report"
	"fairbridge/pkg/home"
	"fairbridge/pkg/ledger"
	"fairbridge/pkg/terminal"
)

func newDeadLettersShow(std streams) *cobra.Command {
	var at place
	var config string
	var asJSON bool
	var s selection
	var filter deadletter.Filter
	cmd := &cobra.Command{
		Use:   "show DELIVERY-ID",
		Short: "Show all that is known of a dead letter, and what to do",
		Long: `Shows a dead letter: what went wrong and what to do, the payload, the request that
the mapping that runs makes of it, and the ledger's history. --config shows what
another fairbridge.yaml would make. The first characters of
the delivery id are enough. The letter is not received.`,
		Example: `  fairbridge dlq show 3f9a2c41
  fairbridge dlq show 3f9a2c41 --stack fairbridge --config prod.yaml
  fairbridge dlq show 3f9a2c41 --json | jq .payload`,
		Args:              exactly("a delivery id, see 'fairbridge dlq list'"),
		ValidArgsFunction: completeIDs(&at, &s, 1),
		PreRunE: func(_ *cobra.Command, ids []string) (err error) {
			s.IDs = ids
			filter, err = readWords(s.Words)
			return err
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withDesk(cmd.Context(), &at, std, func(d *desk) error {
				c, err := d.checker(cmd, config)
				if err != nil {
					return err
				}
				shown, err := d.Show(cmd.Context(), filter, c)
				d.meter.Clear()
				if err != nil {
					return err
				}
				if asJSON {
					enc := json.NewEncoder(std.out)
					enc.SetEscapeHTML(false)
					enc.SetIndent("", "  ")
					return enc.Encode(shown)
				}
				return writeShown(std.out, shown, at.Place, time.Now())
			})
		},
	}
	at.flags(cmd)
	tryFlag(cmd, &config)
	cmd.Flags().BoolVar(&asJSON, "json", false, "as one JSON object")
	return cmd
}

// writeShown is all that is known of a letter, for a person.
func writeShown(out io.Writer, s *deadletter.Shown, at home.Place, now time.Time) error {
	var b bytes.Buffer
	l := s.Letter
	field := func(name, text string) {
		if text != "" {
			fmt.Fprintf(&b, "%-12s %s\n", name, terminal.Printable(text))
		}
	}
	field("delivery", l.DeliveryID)
	what := string(l.Reason)
	if l.Stage != "" {
		what += " at " + string(l.Stage)
	}
	if l.Status != 0 {
		what += fmt.Sprintf(" (HTTP %d)", l.Status)
	}
	field("reason", what)
	field("problem", l.Description)
	field("died", l.DiedAt.Format(time.RFC3339)+", "+age(now.Sub(l.DiedAt))+" ago")
	field("tried", fmt.Sprintf("%s, replayed %s", terminal.Count(l.Attempts, "time"), terminal.Count(l.Replays, "time")))
	if until := l.SentAt.Add(deadletter.Retention); l.SentAt.Unix() > 0 {
		field("kept until", until.Format(time.RFC3339)+", then SQS deletes it")
	}
	if l.Copies > 1 {
		field("copies", fmt.Sprintf("%d: a replay sends one and removes the others", l.Copies))
	}
	field("event", l.Event)
	field("generation", fmt.Sprint(l.Generation))
	field("message", l.MessageID)

	fmt.Fprintf(&b, "\n%s\n", s.Advice.What)
	for _, step := range s.Advice.Steps {
		fmt.Fprintf(&b, "  - %s\n", step.Text)
		if command := step.CommandFor(at, l.DeliveryID); command != "" {
			fmt.Fprintf(&b, "      %s\n", command)
		}
	}
	writePayload(&b, s)
	if err := report.WriteSent(&b, s.Sent); err != nil {
		return err
	}
	if s.Request != nil {
		fmt.Fprintf(&b, "\nA replay would send, by %s:\n", terminal.Printable(s.Request.Mapping))
		if err := writeReplayed(&b, *s.Request, false); err != nil {
			return err
		}
	}
	if s.Ledger != nil {
		writeEntry(&b, *s.Ledger)
	} else {
		b.WriteString("\nThe ledger knows nothing of it.\n")
	}
	_, err := out.Write(b.Bytes())
	return err
}

func writePayload(b *bytes.Buffer, s *deadletter.Shown) {
	if s.Payload == nil {
		fmt.Fprintf(b, "\nThe message, which has no payload:\n%s\n", terminal.Printable(terminal.Shorten(s.Message, 10_000)))
		return
	}
	b.WriteString("\nThe payload:\n")
	writeJSON(b, s.Payload)
	for _, e := range s.Letter.Edits {
		fmt.Fprintf(b, "%s: %s was %s\n", e.At.Format(time.RFC3339), terminal.Printable(e.Field), terminal.Printable(string(e.Old)))
	}
}

func writeEntry(b *bytes.Buffer, e ledger.Entry) {
	b.WriteString("\nThe ledger:\n")
	field := func(name, text string) {
		if text != "" {
			fmt.Fprintf(b, "  %-12s %s\n", name, terminal.Printable(text))
		}
	}
	state := string(e.State)
	if e.Resume != "" {
		state += ", a replay goes on from " + string(e.Resume)
	}
	field("state", state)
	if e.Owner != "" {
		field("in hand", "until "+e.LeaseUntil.UTC().Format(time.RFC3339))
	}
	field("ticket", e.TicketID)
	if !e.CreatingSince.IsZero() {
		field("requested", e.CreatingSince.UTC().Format(time.RFC3339))
	}
	for _, name := range slices.Sorted(maps.Keys(e.Attached)) {
		a := e.Attached[name]
		field("has file", fmt.Sprintf("%s: %s, %d bytes, %s", name, a.Name, a.Bytes, a.At.UTC().Format(time.RFC3339)))
	}
	if e.Attaching != "" {
		field("in doubt", "the file "+e.Attaching)
	}
	field("first seen", e.FirstSeen.UTC().Format(time.RFC3339))
	field("changed", e.UpdatedAt.UTC().Format(time.RFC3339))
	field("counts", fmt.Sprintf("%s, %s, generation %d", terminal.Count(e.Attempts, "attempt"), terminal.Count(e.Replays, "replay"), e.Generation))
	if e.Last != nil {
		field("last error", deadletter.FaultText(*e.Last)+", "+e.Last.At.UTC().Format(time.RFC3339))
	}
}
