package report

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"fairbridge/pkg/deadletter"
	letters "fairbridge/pkg/deadletter/report"
	"fairbridge/pkg/deliveries"
	"fairbridge/pkg/home"
	"fairbridge/pkg/ledger"
	"fairbridge/pkg/queue"
	"fairbridge/pkg/terminal"
)

// WriteDelivery writes all that is known of a delivery, as text.
func WriteDelivery(out io.Writer, s *deliveries.Shown, at home.Place, now time.Time) error {
	var b bytes.Buffer
	field := func(name, text string) {
		if text != "" {
			fmt.Fprintf(&b, "%-10s %s\n", name, terminal.Printable(text))
		}
	}
	field("delivery", s.DeliveryID)
	field("received", s.ReceivedAt.Format(time.RFC3339)+", "+terminal.Age(now.Sub(s.ReceivedAt))+" ago")
	app := s.App
	if s.Version != "" {
		app += " " + s.Version
	}
	if s.Build != "" {
		app += " (" + s.Build + ")"
	}
	field("kind", s.Kind)
	field("app", strings.TrimSpace(app))
	field("from", s.From)
	field("text", s.Text)
	field("session", cmp.Or(s.SessionURL, s.Session))
	field("state", stateText(s, now))
	field("ticket", strings.TrimSpace(s.TicketID+"  "+s.TicketURL))
	if w := s.Ledger.Where; w != nil {
		field("sent to", fmt.Sprintf("%s, project %s, source %s", w.Site(), w.Project, w.Source))
	}
	field("in doubt", s.Ledger.Attaching)
	if f := s.Ledger.Last; f != nil && s.Ledger.State != ledger.Completed {
		field("problem", deadletter.FaultText(*f))
	}
	b.WriteString("\n")
	for _, e := range s.Timeline {
		fmt.Fprintf(&b, "%s  %s\n", e.At.Format(time.RFC3339), terminal.Printable(e.What))
	}
	if len(s.Endpoints) > 0 {
		b.WriteString("\nThe endpoint of a route's attachments, as Centercode's answer to this ticket has it:\n")
		for _, element := range slices.Sorted(maps.Keys(s.Endpoints)) {
			fmt.Fprintf(&b, "  %-12s endpoint: %q\n", terminal.Printable(element), s.Endpoints[element])
		}
	}
	if s.Payload != nil {
		where := "which waits in the queue"
		if s.Ledger.State == ledger.Dead {
			where = "which the ledger keeps"
		}
		fmt.Fprintf(&b, "\nThe payload, %s:\n", where)
		b.WriteString(terminal.IndentedJSON(s.Payload) + "\n")
	}
	if err := letters.WriteSent(&b, s.Sent); err != nil {
		return err
	}
	if next := nextStep(s.Ledger, at); next != "" {
		fmt.Fprintf(&b, "\n%s\n", next)
	}
	_, err := out.Write(b.Bytes())
	return err
}

// stateText is in words how far a delivery got.
func stateText(s *deliveries.Shown, now time.Time) string {
	e := s.Ledger
	switch {
	case e.Dropped():
		return "dropped: a person gave it up"
	case e.State == ledger.Dead:
		return "dead letter: it waits for a person"
	case e.State == ledger.Completed:
		return "completed " + terminal.Age(e.UpdatedAt.Sub(e.Received())) + " after the webhook"
	case e.HeldAt(now):
		return string(e.State) + ": a worker is processing it"
	case e.State == ledger.Created:
		return "created: the ticket is made, files are missing; it waits for another attempt"
	}
	return string(e.State) + ": it waits for another attempt"
}

// nextStep is what can be done now; "" if nothing is to be.
func nextStep(e ledger.Entry, at home.Place) string {
	id := queue.ShortID(e.DeliveryID)
	switch {
	case e.Dropped():
		return ""
	case e.State == ledger.Dead:
		return "What to do: " + at.Command("dlq show "+id)
	case e.State == ledger.Completed && e.TicketID == "":
		return "Centercode's answer did not name the ticket: look for the delivery's id, " + id + ", there."
	case e.State == ledger.Completed:
		return ""
	}
	return "It continues on its own. To see whether all is well: " + at.Command("status")
}
