package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"fairbridge/pkg/secrets"
)

// write is the status for a person.
func (s *status) write(out io.Writer, now time.Time) error {
	var b bytes.Buffer
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	switch {
	case s.Stack != "":
		fmt.Fprintf(w, "bridge\tstack %s\n", s.Stack)
	case s.Runs != nil && *s.Runs:
		fmt.Fprintf(w, "bridge\tfolder %s, running\n", s.Data)
	default:
		fmt.Fprintf(w, "bridge\tfolder %s, not running\n", s.Data)
	}
	line := func(name, text string) {
		if text != "" {
			fmt.Fprintf(w, "%s\t%s\n", name, text)
		}
	}
	if s.Runs == nil || *s.Runs {
		line("webhook", s.Webhook)
	}
	line("work queue", s.Work.text(now))
	line("dead letters", s.DeadLetters.letters(now))
	line("Centercode", s.Centercode.String())
	for _, secret := range s.Secrets {
		text := secret.String()
		if !secret.Exists && secret.Name == secrets.TestFairyAPIKey {
			text += " (needed for session logs and 'fairbridge webhook' only)"
		}
		line(secret.Name, text)
	}
	line("dashboard", s.Dashboard)
	if err := w.Flush(); err != nil {
		return err
	}
	if err := s.writeDeliveries(&b, now); err != nil {
		return err
	}
	if len(s.Problems) == 0 {
		fmt.Fprintln(&b, "\nNothing needs a person.")
	} else {
		fmt.Fprintln(&b, "\nThis needs a person:")
		for _, p := range s.Problems {
			fmt.Fprintf(&b, "  %s\n", printable(p))
		}
	}
	_, err := out.Write(b.Bytes())
	return err
}

func (s *status) writeDeliveries(out io.Writer, now time.Time) error {
	if len(s.Deliveries) == 0 {
		return nil
	}
	fmt.Fprintln(out)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "AGE\tSTATE\tTICKET\tATTEMPTS\tDELIVERY\tLAST FAULT")
	for _, d := range s.Deliveries {
		fault := ""
		if d.Last != nil {
			fault = shorten(printable(d.Last.Stage+": "+d.Last.Text), 80)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\t%s\n", age(now.Sub(d.UpdatedAt)), d.State,
			dash(printable(d.TicketID)), d.Attempts, shortID(d.DeliveryID), dash(fault))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if s.Partial {
		fmt.Fprintln(out, "The ledger is large: these are the last of a part of it. The dashboard has all.")
	}
	return nil
}

func (q *queueDepth) text(now time.Time) string {
	if q == nil {
		return ""
	}
	return fmt.Sprintf("%d waiting, %d in work, %d delayed", q.Waiting, q.InWork, q.Delayed) + q.oldest(now)
}

func (q *queueDepth) letters(now time.Time) string {
	if q == nil {
		return ""
	}
	return fmt.Sprint(q.total()) + q.oldest(now)
}

func (q *queueDepth) oldest(now time.Time) string {
	if q.Oldest.IsZero() {
		return ""
	}
	return ", the oldest from " + age(now.Sub(q.Oldest)) + " ago"
}

func (c centercodeStatus) String() string {
	switch {
	case c.Note != "":
		return c.Note
	case c.Answers:
		return fmt.Sprintf("%s answers (HTTP %d, %d ms)", c.BaseURL, c.Status, c.Took)
	}
	return c.BaseURL + " does not answer as it must"
}

// printable makes text of other people's fit for a terminal: one line, nothing
// that a terminal acts on.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r):
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD"))
}
