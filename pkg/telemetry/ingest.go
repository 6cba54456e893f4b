package telemetry

import (
	"context"
	"log/slog"
	"time"

	"fairbridge/pkg/ingest"
)

// Ingest reports ingest's outcomes. Log comes from [NewLogger].
type Ingest struct {
	Log *slog.Logger
}

// Report implements [ingest.Reporter]. The reason is an attribute of the line and not a
// dimension, because each dimension value is a billed metric.
func (i Ingest) Report(ctx context.Context, o ingest.Outcome) {
	l := line{message: "webhook", metrics: OfIngest(o)}
	switch o.Result {
	case ingest.Rejected:
		l.level = slog.LevelWarn
	case ingest.Failed:
		l.level = slog.LevelError
	}
	l.add(slog.String("correlation_id", o.DeliveryID), o.DeliveryID != "")
	l.add(slog.String("decision", string(o.Result)), true)
	l.add(slog.Int("status", o.Status), true)
	l.add(slog.String("event", string(o.Kind)), o.Kind != "")
	l.add(slog.String(reasonKey, string(o.Reason)), o.Reason != "")
	l.add(slog.Any("odd", o.Odd), len(o.Odd) > 0)
	l.add(slog.Any("fields", o.Fields), len(o.Fields) > 0)
	l.add(slog.Int("bytes", o.Bytes), o.Bytes > 0)
	l.add(slog.Float64("duration_ms", inMilliseconds(o.Took)), true)
	l.add(slog.Any("err", o.Err), o.Err != nil)
	l.write(ctx, i.Log, time.Now())
}

// inMilliseconds keeps the fraction: accepting a request takes about one millisecond when
// warm.
func inMilliseconds(d time.Duration) float64 {
	return float64(d.Microseconds()) / 1000
}
