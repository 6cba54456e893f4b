package deliveries

import (
	"encoding/csv"
	"io"
	"strconv"
	"time"

	"fairbridge/pkg/terminal"
)

// CSV returns a function that writes deliveries as comma-separated values, with a header
// before the first. A cell that a spreadsheet would treat as a formula is prefixed with an
// apostrophe.
func CSV(out io.Writer) func(Delivery) error {
	w := csv.NewWriter(out)
	begun := false
	return func(d Delivery) error {
		if !begun {
			begun = true
			_ = w.Write([]string{"deliveryId", "receivedAt", "kind", "app", "version", "build", "session", "from", "text",
				"state", "reason", "status", "problem", "project", "ticketId", "ticketUrl", "attempts", "updatedAt"})
		}
		status := ""
		if d.Status != 0 {
			status = strconv.Itoa(d.Status)
		}
		row := []string{d.DeliveryID, d.ReceivedAt.Format(time.RFC3339), d.Kind, d.App, d.Version, d.Build, d.Session, d.From, d.Text,
			d.State, d.Reason, status, d.Problem, d.Project, d.TicketID, d.TicketURL, strconv.Itoa(d.Attempts), d.UpdatedAt.Format(time.RFC3339)}
		for i, cell := range row {
			row[i] = terminal.CSVCell(cell)
		}
		_ = w.Write(row)
		w.Flush()
		return w.Error()
	}
}
