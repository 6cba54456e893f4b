package report

import (
	"fmt"
	"io"
	"strings"

	"fairbridge/pkg/deadletter"
	"fairbridge/pkg/queue"
	"fairbridge/pkg/terminal"
)

// WriteEnds writes how each replayed delivery ended.
func WriteEnds(out io.Writer, ends []deadletter.End) error {
	var b strings.Builder
	for _, e := range ends {
		fmt.Fprintf(&b, "%s  %s\n", queue.ShortID(e.DeliveryID), endText(e))
	}
	_, err := io.WriteString(out, b.String())
	return err
}

func endText(e deadletter.End) string {
	switch {
	case !e.Ended:
		return "has not ended yet"
	case e.Completed && e.TicketID == "":
		return "completed"
	case e.Completed:
		return "completed, ticket " + terminal.Printable(e.TicketID)
	}
	return "dead again: " + deadletter.FaultText(e.Fault)
}

// mostShown is how much of a value is shown, in characters.
const mostShown = 200

// WriteChanges writes the corrections to a delivery's payload as a difference.
func WriteChanges(out io.Writer, id string, changes []queue.Edit) error {
	var b strings.Builder
	fmt.Fprintln(&b, queue.ShortID(id))
	if len(changes) == 0 {
		b.WriteString("  nothing to change\n")
	}
	line := func(sign, field string, value []byte) {
		if string(value) != "null" {
			fmt.Fprintf(&b, "%s %s: %s\n", sign, terminal.Printable(field), terminal.Shorten(terminal.Printable(string(value)), mostShown))
		}
	}
	for _, c := range changes {
		line("-", c.Field, c.Old)
		line("+", c.Field, c.New)
	}
	_, err := io.WriteString(out, b.String())
	return err
}
