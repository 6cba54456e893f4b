package telemetry

import (
	"context"
	"log/slog"
	"time"

	"fairbridge/pkg/ingest"
)

// Ingest reports ingest's outcomes. Log is one of [NewLogger].
type Ingest struct {
	Log *slog.Logger
}

// Report implements [ingest.Reporter]. Received counts every request; what is
// neither Ignored, Rejected nor Failed was accepted. Rejected and Failed are
// counted by reason, too. Lost counts what was rejected though it had the right
// token: it came from TestFairy, which is not known to send anything twice.
func (i Ingest) Report(ctx context.Context, o ingest.Outcome) {
	l := line{message: "webhook"}
	l.count("Received", count, 1)
	switch o.Result {
	case ingest.Ignored:
		l.count("Ignored", count, 1)
	case ingest.Rejected:
		l.level = slog.LevelWarn
		l.metrics = append(l.metrics, metric{name: "Rejected", unit: count, value: 1, perReason: true})
		if !o.Reason.Strange() && o.Reason != ingest.ReasonWrongToken {
			l.count("Lost", count, 1)
		}
	case ingest.Failed:
		l.level = slog.LevelError
		l.metrics = append(l.metrics, metric{name: "Failed", unit: count, value: 1, perReason: true})
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

// inMilliseconds keeps microseconds: a warm accept takes about one millisecond.
func inMilliseconds(d time.Duration) float64 {
	return float64(d.Microseconds()) / 1000
}
