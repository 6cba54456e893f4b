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
	l := line{message: "delivery", metrics: OfWorker(o)}
	switch o.Result {
	case worker.Retry:
		l.level = slog.LevelWarn
	case worker.Held:
		l.message = "held"
		if o.Hold.Open {
			l.level = slog.LevelWarn
		}
		l.add(slog.String("project", o.Hold.Project), true)
		l.add(slog.Int("waiting", len(o.Receipts)), true)
		l.add(slog.Time("since", o.Hold.Since.UTC()), true)
	case worker.Dead:
		l.level = slog.LevelError
	}
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
