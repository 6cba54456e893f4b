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

// row writes a line. What other people wrote shares what is left of the width; a narrow
// terminal has no room for the app.
func (t *Table) row(id, received, state, ticket, app, from, what string) error {
	width := cmp.Or(t.Width, 160)
	type cell struct {
		text  string
		width int
	}
	cells := []cell{{id, 12}, {received, 19}, {state, 18}, {ticket, 10}}
	if width < 120 {
		cells = []cell{{id, 12}, {received[:min(len(received), 16)], 16}, // without the seconds
			{state, 11}, {ticket, 8}}
	}
	left := width
	for _, c := range cells {
		left -= c.width + 2
	}
	switch {
	case width >= 120:
		cells = append(cells, cell{app, left / 5}, cell{from, left * 2 / 5}, cell{what, left - left/5 - left*2/5 - 4})
	case left >= 50:
		cells = append(cells, cell{from, left*2/5 - 2}, cell{what, left - left*2/5})
	case left >= 12:
		cells = append(cells, cell{what, left})
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
