package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/dustin/go-humanize/english"

	"fairbridge/pkg/deadletter"
	"fairbridge/pkg/queue"
	"fairbridge/pkg/terminal"
)

// WritePerson lists a person's deliveries, and the tickets that Centercode has.
func WritePerson(out io.Writer, p *deadletter.Person) error {
	var rows [][]string
	var tickets []string
	for _, one := range slices.Concat(p.Ended, p.Dead, p.Left) {
		received := ""
		if !one.ReceivedAt.IsZero() {
			received = one.ReceivedAt.Local().Format("2006-01-02 15:04:05")
		}
		rows = append(rows, []string{queue.ShortID(one.DeliveryID), received, one.State, terminal.Printable(one.Project), terminal.Printable(one.TicketID)})
		if one.TicketID != "" {
			tickets = append(tickets, terminal.Printable(one.TicketID))
		}
	}
	if len(rows) == 0 {
		_, err := fmt.Fprintln(out, "nothing is kept of that person")
		return err
	}
	columns := []terminal.Column{{Name: "DELIVERY"}, {Name: "RECEIVED", Spare: 1}, {Name: "STATE"}, {Name: "PROJECT", Least: 8}, {Name: "TICKET"}}
	if err := terminal.ScreenOf(out).WriteTable(out, columns, rows); err != nil {
		return err
	}
	after := ""
	if len(tickets) > 0 {
		after = fmt.Sprintf("Centercode has %s of theirs, which stay: %s\n", english.Plural(len(tickets), "ticket", ""), strings.Join(tickets, ", "))
	}
	_, err := io.WriteString(out, "\n"+after)
	return err
}
