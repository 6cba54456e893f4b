package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"fairbridge/pkg/deadletter"
	"fairbridge/pkg/queue"
	"fairbridge/pkg/terminal"
)

func newDeadLettersList(std streams) *cobra.Command {
	var at place
	var s selection
	var asJSON bool
	var filter deadletter.Filter
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the dead letters and why they are there",
		Long: `Lists the deliveries that are dead letters, the longest dead first. They stay in
their place, visible to others. What SQS itself moved, after too many tries, is
retries_exhausted; its last error is the ledger's.`,
		Example: `  fairbridge dlq list
  fairbridge dlq list --stack fairbridge --reason rejected --since 7d
  fairbridge dlq list --match 'email~@example\.com$' --match '@description~submitter'
  fairbridge dlq list --json | jq -r 'select(.status == 404) | .deliveryId'`,
		Args: exactly(),
		PreRunE: func(*cobra.Command, []string) (err error) {
			filter, err = s.filter(time.Now())
			return err
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withDesk(cmd.Context(), &at, std, func(d *desk) error {
				in, err := d.take(cmd.Context(), wish{filter: filter, payloads: true, bodies: asJSON})
				if err != nil {
					return err
				}
				if err := in.hold.Release(cmd.Context()); err != nil {
					return err
				}
				if asJSON {
					err = writeLettersJSON(std.out, in.chosen)
				} else {
					err = writeLetters(std.out, in.chosen, in.deliveries, time.Now())
				}
				if d.incomplete(in) {
					err = cmp.Or(err, errSaid)
				}
				return err
			})
		},
	}
	at.flags(cmd)
	s.flags(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object a line")
	return cmd
}

// The widths of columns that hold other people's text.
const (
	reasonWidth    = 20
	appWidth       = 20
	submitterWidth = 30
	textWidth      = 30
	problemWidth   = 80
)

// writeLetters is the table, and under it the count by reason.
func writeLetters(out io.Writer, cases []letterCase, deliveries int, now time.Time) error {
	if len(cases) == 0 {
		none := "no dead letters"
		if deliveries > 0 {
			none = fmt.Sprintf("none of %s is meant", terminal.Count(deliveries, "dead letter"))
		}
		_, err := fmt.Fprintln(out, none)
		return err
	}
	rows := [][]string{{"AGE", "REASON", "STAGE", "STATUS", "APP", "SUBMITTER", "TEXT", "ATTEMPTS", "DELIVERY", "PROBLEM"}}
	for _, c := range cases {
		status := ""
		if c.Status != 0 {
			status = fmt.Sprint(c.Status)
		}
		problem := terminal.Shorten(terminal.Printable(c.Description), problemWidth)
		if c.Count() > 1 {
			problem = strings.TrimSpace(fmt.Sprintf("%s (copies: %d)", problem, c.Count()))
		}
		rows = append(rows, []string{
			age(now.Sub(c.DiedAt())), terminal.Shorten(terminal.Printable(string(c.Reason)), reasonWidth), terminal.Shorten(terminal.Printable(string(c.Stage)), reasonWidth), status,
			terminal.Shorten(terminal.Printable(c.event.Text("appName")), appWidth), terminal.Shorten(terminal.Printable(submitter(c)), submitterWidth),
			terminal.Shorten(terminal.Printable(saying(c)), textWidth), fmt.Sprint(c.Attempts), shortID(c.DeliveryID), problem,
		})
	}
	if err := terminal.WriteTable(out, rows); err != nil {
		return err
	}
	of := ""
	if deliveries > len(cases) {
		of = fmt.Sprintf(" of %d", deliveries)
	}
	_, err := fmt.Fprintf(out, "\n%s%s: %s\n", terminal.Count(len(cases), "dead letter"), of, byReason(cases))
	return err
}

// byReason counts by reason, the most frequent first.
func byReason(cases []letterCase) string {
	counts := map[queue.Reason]int{}
	for _, c := range cases {
		counts[c.Reason]++
	}
	reasons := slices.SortedFunc(maps.Keys(counts), func(a, b queue.Reason) int {
		return cmp.Or(counts[b]-counts[a], cmp.Compare(a, b))
	})
	parts := make([]string, len(reasons))
	for i, r := range reasons {
		parts[i] = fmt.Sprintf("%d %s", counts[r], terminal.Printable(string(r)))
	}
	return strings.Join(parts, ", ")
}

// submitter is who sent the event, whatever its kind.
func submitter(c letterCase) string {
	return cmp.Or(c.event.Text("email"), c.event.Text("testerEmail"))
}

// saying is what the event says, whatever its kind.
func saying(c letterCase) string {
	return strings.TrimSpace(cmp.Or(c.event.Text("text"), c.event.Text("crashMessage")))
}

// letterRecord is a dead letter for a machine.
type letterRecord struct {
	DeliveryID  string       `json:"deliveryId"`
	Reason      queue.Reason `json:"reason"`
	Stage       queue.Stage  `json:"stage,omitempty"`
	Status      int          `json:"status,omitempty"`
	Description string       `json:"description,omitempty"`
	Event       string       `json:"event,omitempty"`
	App         string       `json:"app,omitempty"`
	Submitter   string       `json:"submitter,omitempty"`
	Text        string       `json:"text,omitempty"`
	Attempts    int          `json:"attempts"`
	Replays     int          `json:"replays"`
	Generation  int          `json:"generation"`
	Copies      int          `json:"copies"`
	DiedAt      time.Time    `json:"diedAt"`
	SentAt      time.Time    `json:"sentAt"`
	MessageID   string       `json:"messageId"`
	// Edits are what people have corrected in the payload.
	Edits []queue.Edit `json:"edits,omitempty"`
}

func recordOf(c letterCase) letterRecord {
	r := letterRecord{
		DeliveryID: c.DeliveryID, Reason: c.Reason, Stage: c.Stage, Status: c.Status, Description: c.Description,
		Event: cmp.Or(c.Event, string(c.event.Kind)), App: c.event.Text("appName"), Submitter: submitter(c), Text: saying(c),
		Attempts: c.Attempts, Replays: c.ReplayCount(), Generation: c.Generation, Copies: c.Count(),
		DiedAt: c.DiedAt(), SentAt: c.SentAt, MessageID: c.MessageID,
	}
	if e, err := queue.Decode(c.Body); err == nil {
		r.Edits = e.Edits
	}
	return r
}

func writeLettersJSON(out io.Writer, cases []letterCase) error {
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	for _, c := range cases {
		if err := enc.Encode(recordOf(c)); err != nil {
			return err
		}
	}
	return nil
}
