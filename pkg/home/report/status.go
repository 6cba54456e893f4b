// Package report writes the state of a bridge as text for people.
package report

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"
	"time"

	"fairbridge/pkg/home"
	"fairbridge/pkg/queue"
	"fairbridge/pkg/secrets"
	"fairbridge/pkg/terminal"
)

// WriteStatus writes the status of a bridge.
func WriteStatus(out io.Writer, s *home.Status, now time.Time) error {
	var b bytes.Buffer
	screen := terminal.ScreenOf(out)
	writeParts(&b, s, now)
	if err := writeDeliveries(&b, screen, s, now); err != nil {
		return err
	}
	if len(s.Notes) > 0 {
		fmt.Fprintln(&b)
	}
	for _, note := range s.Notes {
		fmt.Fprintln(&b, terminal.Printable(note))
	}
	if len(s.Problems) == 0 {
		fmt.Fprintf(&b, "\n%s\n", screen.Good("Nothing needs a person."))
	} else {
		fmt.Fprintf(&b, "\n%s\n", screen.Bad("This needs a person:"))
	}
	for _, p := range s.Problems {
		fmt.Fprintf(&b, "  %s\n", terminal.Printable(p))
	}
	_, err := out.Write(b.Bytes())
	return err
}

// writeParts writes a line for each part of the bridge that is known.
func writeParts(b *bytes.Buffer, s *home.Status, now time.Time) {
	w := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	defer w.Flush()
	line := func(name, text string) {
		if text != "" {
			fmt.Fprintf(w, "%s\t%s\n", name, text)
		}
	}
	switch {
	case s.Stack != "":
		line("bridge", "stack "+s.Stack)
	case s.Runs != nil && *s.Runs:
		line("bridge", "folder "+s.Data+", running")
	default:
		line("bridge", "folder "+s.Data+", not running")
	}
	if s.Runs == nil || *s.Runs {
		line("webhook", s.Webhook)
	}
	if m := s.Mapping; m != nil {
		text := fmt.Sprintf("%.12s, since %s", m.Hash, m.Since.UTC().Format("2006-01-02 15:04:05 UTC"))
		if m.File != "" {
			text += ", " + m.File
		}
		if m.Differs {
			text += ", which differs"
		}
		line("mapping", terminal.Printable(text))
	}
	if q := s.Work; q != nil {
		line("work queue", fmt.Sprintf("%d waiting, %d in flight, %d delayed", q.Waiting, q.InWork, q.Delayed)+oldestText(q, now))
	}
	if q := s.DeadLetters; q != nil {
		line("dead letters", fmt.Sprint(q.Total())+oldestText(q, now))
	}
	line("Centercode", centercodeText(s.Centercode))
	for _, secret := range s.Secrets {
		text := secret.String()
		switch {
		case secret.Exists || secret.Hidden:
		case secret.Name == secrets.TestFairyAPIKey:
			text += " (only needed for session logs, webhook and reconcile)"
		case secret.Name == secrets.CentercodeAPIKey && s.Centercode.Simulator:
			text += " (not needed for the simulator)"
		}
		line(secret.Name, text)
	}
	line("dashboard", s.Dashboard)
}

// columns are those of a delivery.
var columns = []terminal.Column{
	{Name: "AGE"}, {Name: "STATE"}, {Name: "TICKET", Most: 20, Least: 6, Spare: 1}, {Name: "ATTEMPTS", Spare: 2},
	{Name: "DELIVERY"}, {Name: "LAST ERROR", Most: 80, Least: 10},
}

func writeDeliveries(b *bytes.Buffer, screen terminal.Screen, s *home.Status, now time.Time) error {
	if len(s.Deliveries) == 0 {
		return nil
	}
	fmt.Fprintln(b)
	var rows [][]string
	for _, d := range s.Deliveries {
		fault := ""
		if d.Last != nil {
			fault = terminal.Printable(d.Last.Stage + ": " + d.Last.Text)
		}
		rows = append(rows, []string{terminal.Age(now.Sub(d.UpdatedAt)), string(d.State), terminal.Printable(d.TicketID),
			strconv.Itoa(d.Attempts), queue.ShortID(d.DeliveryID), fault})
	}
	if err := screen.WriteTable(b, columns, rows); err != nil {
		return err
	}
	if s.Partial {
		fmt.Fprintln(b, "The ledger is large: these are the last of a part of it. The dashboard has all.")
	}
	return nil
}

func oldestText(q *home.QueueDepth, now time.Time) string {
	if q.Oldest.IsZero() {
		return ""
	}
	return ", the oldest from " + terminal.Age(now.Sub(q.Oldest)) + " ago"
}

func centercodeText(c home.CentercodeStatus) string {
	switch {
	case c.Note != "":
		return c.Note
	case c.Answers:
		return fmt.Sprintf("%s answers (HTTP %d, %d ms)", c.BaseURL, c.Status, c.Took)
	}
	return c.BaseURL + " is not responding correctly"
}

// WriteSecrets writes which secrets exist.
func WriteSecrets(out io.Writer, states []home.SecretState) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, s := range states {
		fmt.Fprintf(w, "%s\t%s\n", s.Name, s)
	}
	return w.Flush()
}
