package report

import (
	"encoding/csv"
	"encoding/json"
	"io"
	"strconv"
	"time"

	"fairbridge/pkg/deadletter"
	"fairbridge/pkg/terminal"
)

// WriteJSON writes one JSON object for each letter, one a line.
func WriteJSON(out io.Writer, cases []deadletter.Case) error {
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	for _, c := range cases {
		if err := enc.Encode(c.Record()); err != nil {
			return err
		}
	}
	return nil
}

// WriteCSV writes comma-separated values with a header.
func WriteCSV(out io.Writer, cases []deadletter.Case) error {
	w := csv.NewWriter(out)
	rows := [][]string{{"deliveryId", "diedAt", "reason", "stage", "status", "description", "project", "source", "done",
		"event", "app", "submitter", "text", "attempts", "replays", "copies"}}
	for _, c := range cases {
		r := c.Record()
		status := ""
		if r.Status != 0 {
			status = strconv.Itoa(r.Status)
		}
		row := []string{r.DeliveryID, r.DiedAt.UTC().Format(time.RFC3339), string(r.Reason), string(r.Stage), status, r.Description, r.Project, r.Source,
			strconv.FormatBool(r.Done), r.Event, r.App, r.Submitter, r.Text, strconv.Itoa(r.Attempts), strconv.Itoa(r.Replays), strconv.Itoa(r.Copies)}
		for i, cell := range row {
			row[i] = terminal.CSVCell(cell)
		}
		rows = append(rows, row)
	}
	return w.WriteAll(rows)
}
