package report

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"fairbridge/pkg/deadletter"
	"fairbridge/pkg/home"
	"fairbridge/pkg/ledger"
	"fairbridge/pkg/terminal"
)

// WriteShown writes everything that is known about a dead letter.
func WriteShown(out io.Writer, s *deadletter.Shown, at home.Place, now time.Time) error {
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
	field("died", l.DiedAt.Format(time.RFC3339)+", "+terminal.Age(now.Sub(l.DiedAt))+" ago")
	field("tried", fmt.Sprintf("%s, replayed %s", terminal.Count(l.Attempts, "time"), terminal.Count(l.Replays, "time")))
	if until := l.SentAt.Add(deadletter.Retention); at.OnAWS() && l.SentAt.Unix() > 0 {
		field("kept until", until.Format(time.RFC3339)+", then SQS deletes it")
	}
	if l.Copies > 1 {
		field("copies", fmt.Sprintf("%d: a replay sends one and removes the others", l.Copies))
	}
	field("event", l.Event)
	field("generation", fmt.Sprint(l.Generation))
	field("message", l.MessageID)

	screen := terminal.ScreenOf(out)
	b.WriteString("\n" + screen.Wrap("", s.Advice.What))
	for _, step := range s.Advice.Steps {
		b.WriteString(screen.Wrap("  - ", step.Text))
		if command := step.CommandFor(at, l.DeliveryID); command != "" {
			fmt.Fprintf(&b, "      %s\n", command)
		}
	}
	writePayload(&b, s)
	if err := WriteSent(&b, s.Sent); err != nil {
		return err
	}
	if s.Request != nil {
		fmt.Fprintf(&b, "\nA replay would send, by %s:\n", terminal.Printable(s.Request.Mapping))
		if err := WriteRequest(&b, *s.Request, false); err != nil {
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
	b.WriteString(terminal.IndentedJSON(s.Payload) + "\n")
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
		state += ", a replay continues from " + string(e.Resume)
	}
	field("state", state)
	if e.Owner != "" {
		field("held", "until "+e.LeaseUntil.UTC().Format(time.RFC3339))
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
		field("last error", e.Last.At.UTC().Format(time.RFC3339)+", "+deadletter.FaultText(*e.Last))
	}
}
