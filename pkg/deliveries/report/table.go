package report

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"fairbridge/pkg/deliveries"
	"fairbridge/pkg/ledger"
	"fairbridge/pkg/queue"
	"fairbridge/pkg/terminal"
)

// Table writes deliveries as they are found, so its columns do not know what
// comes. A link has a line of its own: it must not be cut.
type Table struct {
	Out io.Writer
	// Width is the terminal's; the default is 160.
	Width int
	begun bool
}

// Write writes a delivery, below the heads if it is the first.
func (t *Table) Write(d deliveries.Delivery) error {
	if !t.begun {
		t.begun = true
		if err := t.row("ID", "RECEIVED", "STATE", "TICKET", "APP", "FROM", "WHAT"); err != nil {
			return err
		}
	}
	state := d.State
	if d.State == string(ledger.Dead) && d.Reason != "" {
		state = d.Reason
	}
	if err := t.row(queue.ShortID(d.DeliveryID), d.ReceivedAt.Local().Format("2006-01-02 15:04:05"), state, d.TicketID, d.App, d.From, d.Text); err != nil {
		return err
	}
	if d.TicketURL == "" {
		return nil
	}
	_, err := fmt.Fprintf(t.Out, "%-12s  %s\n", "", terminal.Printable(d.TicketURL))
	return err
}

// row writes a line. What other people wrote shares what is left of the width.
func (t *Table) row(id, received, state, ticket, app, from, what string) error {
	const fixed = 12 + 2 + 19 + 2 + 18 + 2 + 10 + 2
	width := cmp.Or(t.Width, 160)
	left := max(width-fixed, 24)
	cells := []struct {
		text  string
		width int
	}{{id, 12}, {received, 19}, {state, 18}, {ticket, 10}, {app, left / 5}, {from, left * 2 / 5}, {what, left - left/5 - left*2/5 - 4}}
	if width < fixed+24 { // a narrow terminal: what is needed to go on
		cells = cells[:4]
	}
	var b strings.Builder
	for i, c := range cells {
		b.WriteString(terminal.Pad(terminal.Dash(terminal.Shorten(terminal.Printable(c.text), c.width)), c.width))
		if i < len(cells)-1 {
			b.WriteString("  ")
		}
	}
	_, err := fmt.Fprintln(t.Out, strings.TrimRight(b.String(), " "))
	return err
}
