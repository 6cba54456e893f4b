package telemetry

import (
	"context"
	"log/slog"
	"time"

	"fairbridge/pkg/worker"
)

// Worker reports the worker's outcomes. Log comes from [NewLogger].
type Worker struct {
	Log *slog.Logger
}

// Report implements [worker.Reporter].
func (w Worker) Report(ctx context.Context, o worker.Outcome) {
	l := line{message: "delivery"}
	switch o.Result {
	case worker.Created:
		l.count("TicketsCreated", count, 1)
		l.count("WebhookToTicket", milliseconds, o.Age.Milliseconds())
	case worker.Duplicate:
		l.count("Duplicates", count, 1)
	case worker.Ignored:
		l.count("Ignored", count, 1)
	case worker.Retry:
		l.level = slog.LevelWarn
		l.count("Retries", count, 1)
		l.count("WaitingAge", seconds, int64(o.Age.Seconds()))
	case worker.Held:
		l.message = "held"
		l.hold(o)
	case worker.HandedBack:
		l.count("HandedBack", count, 1)
		l.count("WaitingAge", seconds, int64(o.Age.Seconds()))
	case worker.Dead:
		l.level = slog.LevelError
		l.metrics = append(l.metrics, metric{name: "DeadLetters", unit: count, value: 1, perReason: o.Reason != ""})
	}
	l.count("Attachments", count, int64(o.Attachments))
	l.count("AttachmentBytes", bytes, o.AttachmentBytes)
	l.count("OptionalAttachmentsSkipped", count, int64(len(o.Skipped)))

	l.add(slog.String("correlation_id", o.DeliveryID), o.DeliveryID != "")
	l.add(slog.String("message_id", o.MessageID), o.MessageID != "")
	l.add(slog.String("decision", string(o.Result)), true)
	l.add(slog.String("event", string(o.Kind)), o.Kind != "")
	l.add(slog.String("ticket_id", o.TicketID), o.TicketID != "")
	l.add(slog.Int("attempt", o.Attempt), o.Attempt > 0)
	l.add(slog.String(reasonKey, string(o.Reason)), o.Reason != "")
	l.add(slog.String("stage", string(o.Stage)), o.Stage != "")
	l.add(slog.Int("status", o.Status), o.Status != 0)
	l.add(slog.Float64("retry_in_s", o.RetryIn.Seconds()), o.RetryIn > 0)
	l.add(slog.Any("skipped", o.Skipped), len(o.Skipped) > 0)
	l.add(slog.Float64("age_ms", inMilliseconds(o.Age)), o.Age > 0)
	l.add(slog.Float64("duration_ms", inMilliseconds(o.Took)), true)
	l.add(slog.Any("err", o.Err), o.Err != nil)
	l.add(slog.Any("warning", o.Warning), o.Warning != nil)
	l.add(slog.String("stack", o.Stack), o.Stack != "")
	l.write(ctx, w.Log, time.Now())
}

// hold reports the deliveries of a batch that wait for one project. Waiting deliveries are
// received again and again, so the alarms have data for as long as the breaker is open.
func (l *line) hold(o worker.Outcome) {
	l.count("Waiting", count, int64(len(o.Receipts)))
	l.count("WaitingAge", seconds, int64(o.Age.Seconds()))
	since := time.Since(o.Hold.Since)
	if o.Hold.Open {
		l.level = slog.LevelWarn
		l.count("BreakerOpen", seconds, max(1, int64(since.Seconds())))
	}
	if o.Hold.KeyRefused {
		l.count("KeyRefused", count, 1)
	}
	if o.Hold.Paused {
		l.count("Paused", seconds, max(1, int64(since.Seconds())))
	}
	l.add(slog.String("project", o.Hold.Project), true)
	l.add(slog.Int("waiting", len(o.Receipts)), true)
	l.add(slog.Time("since", o.Hold.Since.UTC()), true)
}
