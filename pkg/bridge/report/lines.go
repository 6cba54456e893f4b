// Package report writes the outcomes of webhooks and deliveries, a line each.
package report

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/dustin/go-humanize"

	"fairbridge/pkg/bridge"
	"fairbridge/pkg/ingest"
	"fairbridge/pkg/terminal"
	"fairbridge/pkg/worker"
)

// Lines writes the outcomes of webhooks and deliveries. It is safe for concurrent use.
type Lines struct {
	// Out is where the lines go, Now the clock. Both are required.
	Out io.Writer
	Now func() time.Time
	// AsJSON makes each line a JSON object.
	AsJSON bool

	mu sync.Mutex
	// held is when each reason for holding deliveries was last written.
	held map[string]time.Time
}

// Ingested returns a reporter of what ingest answers.
func (l *Lines) Ingested() ingest.Reporter { return ingested{l} }

// Worked returns a reporter of what the worker does.
func (l *Lines) Worked() worker.Reporter { return worked{l} }

type ingested struct{ *Lines }

// Report implements [ingest.Reporter]. In text, a webhook that was accepted has no line of
// its own, unless it has odd fields: its delivery will have one.
func (l ingested) Report(_ context.Context, o ingest.Outcome) {
	if o.Result != ingest.Accepted || len(o.Odd) > 0 || l.AsJSON {
		l.write(ingestLine(o), ingestRecord(o))
	}
}

type worked struct{ *Lines }

// Report implements [worker.Reporter]. In text, a reason for holding deliveries is written
// once a minute, however many they are.
func (l worked) Report(_ context.Context, o worker.Outcome) {
	if o.Result == worker.Held && !l.AsJSON && !l.due(oneLine(o.Err)) {
		return
	}
	l.write(workerLine(o), workerRecord(o))
}

// due reports whether a reason for holding deliveries is to be written again.
func (l *Lines) due(reason string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.Now()
	if at, ok := l.held[reason]; ok && now.Sub(at) < time.Minute {
		return false
	}
	maps.DeleteFunc(l.held, func(_ string, at time.Time) bool { return now.Sub(at) >= time.Minute })
	if l.held == nil {
		l.held = map[string]time.Time{}
	}
	l.held[reason] = now
	return true
}

// Reread reports that the mapping file was read again.
func (l *Lines) Reread(_ context.Context, r bridge.Reread) {
	record := map[string]any{"stage": "mapping", "result": "taken", "file": r.File}
	line := fmt.Sprintf("%-12s %s has changed, and runs from now on: %s", "mapping", r.File, terminal.Count(r.Routes, "route"))
	if r.Err != nil {
		record["result"] = "refused"
		setError(record, r.Err)
		line = fmt.Sprintf("%-12s %s has changed and cannot run, so the previous one stays in use: %s", "mapping", r.File, terminal.Printable(r.Err.Error()))
	} else {
		record["hash"], record["routes"] = r.Hash, r.Routes
		line += fmt.Sprintf("  [%.12s]", r.Hash)
	}
	l.write(line, record)
}

func (l *Lines) write(line string, record map[string]any) {
	if l.AsJSON {
		l.Record(record)
		return
	}
	l.print(l.Now().Format(time.TimeOnly) + "  " + line)
}

// Record writes a JSON object, to which it adds the time.
func (l *Lines) Record(record map[string]any) {
	record["time"] = l.Now().UTC().Format(time.RFC3339Nano)
	b, err := json.Marshal(record)
	if err != nil {
		b = []byte(`{"error":"this outcome cannot be written as JSON"}`)
	}
	l.print(string(b))
}

func (l *Lines) print(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintln(l.Out, line)
}

func ingestLine(o ingest.Outcome) string {
	line := fmt.Sprintf("%-12s HTTP %d", o.Result, o.Status)
	if o.Kind != "" {
		line += " " + string(o.Kind)
	}
	if o.Reason != "" {
		line += ": " + strings.ReplaceAll(string(o.Reason), "_", " ")
	}
	if len(o.Odd) > 0 {
		line += ": odd " + strings.Join(o.Odd, ", ")
	}
	if o.Err != nil && o.Result == ingest.Failed {
		line += ": " + oneLine(o.Err)
	}
	return line
}

func ingestRecord(o ingest.Outcome) map[string]any {
	r := map[string]any{"stage": "ingest", "result": o.Result, "status": o.Status, "bytes": o.Bytes, "tookMs": o.Took.Milliseconds()}
	set(r, "event", string(o.Kind))
	set(r, "deliveryId", o.DeliveryID)
	set(r, "reason", string(o.Reason))
	if len(o.Odd) > 0 {
		r["odd"] = o.Odd
	}
	if len(o.Fields) > 0 {
		r["fields"] = o.Fields
	}
	setError(r, o.Err)
	return r
}

func workerLine(o worker.Outcome) string {
	var b strings.Builder
	switch o.Result {
	case worker.Created:
		fmt.Fprintf(&b, "%-12s %s", "ticket "+o.TicketID, o.Kind)
		if o.Attachments > 0 {
			fmt.Fprintf(&b, ", %s of %s", terminal.Count(o.Attachments, "attachment"), humanize.IBytes(uint64(o.AttachmentBytes)))
		}
		for _, s := range o.Skipped {
			fmt.Fprintf(&b, ", without %s", s)
		}
		fmt.Fprintf(&b, ", %s after the webhook", seconds(o.Age+o.Took))
	case worker.Duplicate:
		fmt.Fprintf(&b, "%-12s already done", "duplicate")
		if o.TicketID != "" {
			b.WriteString(" as ticket " + o.TicketID)
		}
	case worker.HandedOver:
		fmt.Fprintf(&b, "%-12s %s, %s after the webhook; its files take long and follow", "ticket "+o.TicketID, o.Kind, seconds(o.Age+o.Took))
	case worker.Ignored:
		fmt.Fprintf(&b, "%-12s %s: its route ignores it", "ignored", o.Kind)
	case worker.Dead:
		fmt.Fprintf(&b, "%-12s %s at %s", "dead letter", o.Reason, o.Stage)
		if o.TicketID != "" {
			b.WriteString(", ticket " + o.TicketID + " stays")
		}
		b.WriteString(": " + strings.TrimPrefix(oneLine(o.Err), string(o.Stage)+": "))
	case worker.Held:
		fmt.Fprintf(&b, "%-12s ", "held")
		if o.Hold.Project != "" {
			b.WriteString("project " + o.Hold.Project + ": ")
		}
		b.WriteString(oneLine(o.Err))
	default:
		word := "retry"
		if o.Result == worker.HandedBack {
			word = "waits"
		}
		fmt.Fprintf(&b, "%-12s attempt %d, again in %s: %s", word, o.Attempt, seconds(o.RetryIn), oneLine(o.Err))
	}
	if len(o.DeliveryID) >= 12 {
		fmt.Fprintf(&b, "  [%s]", o.DeliveryID[:12])
	}
	return b.String()
}

func workerRecord(o worker.Outcome) map[string]any {
	r := map[string]any{
		"stage": "worker", "result": o.Result, "deliveryId": o.DeliveryID, "attempt": o.Attempt,
		"attachments": o.Attachments, "attachmentBytes": o.AttachmentBytes,
		"ageMs": (o.Age + o.Took).Milliseconds(), "tookMs": o.Took.Milliseconds(),
	}
	set(r, "event", string(o.Kind))
	set(r, "ticketId", o.TicketID)
	set(r, "reason", string(o.Reason))
	set(r, "step", string(o.Stage))
	if o.Status != 0 {
		r["status"] = o.Status
	}
	if o.RetryIn != 0 {
		r["retryInMs"] = o.RetryIn.Milliseconds()
	}
	if len(o.Skipped) > 0 {
		r["skipped"] = o.Skipped
	}
	setError(r, o.Err)
	return r
}

func set(r map[string]any, key, value string) {
	if value != "" {
		r[key] = value
	}
}

func setError(r map[string]any, err error) {
	if err != nil {
		r["err"] = err.Error()
	}
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }

// oneLine returns the text of an error, which may be several joined ones, on one line.
func oneLine(err error) string { return strings.ReplaceAll(fmt.Sprint(err), "\n", "; ") }
