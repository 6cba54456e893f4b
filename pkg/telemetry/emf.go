package telemetry

import (
	"context"
	"log/slog"
	"time"
)

// Namespace is the CloudWatch namespace of the metrics.
const Namespace = "FairBridge"

// The dimensions. An id is never one: each value of a dimension is a metric of its own,
// which is billed.
const (
	// Service is the function that counts.
	Service   = "service"
	reasonKey = "reason"
)

// metadata is the _aws member of a line in CloudWatch's embedded metric format. The values
// and dimensions are members of the line itself. See
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
type metadata struct {
	Timestamp         int64 // milliseconds since 1970
	CloudWatchMetrics []directive
}

type directive struct {
	Namespace  string
	Dimensions [][]string
	Metrics    []definition
}

type definition struct {
	Name string
	Unit string
}

// embed returns the attributes that turn a log line into metrics.
func embed(at time.Time, metrics []Metric) []slog.Attr {
	all := directive{Namespace: Namespace, Dimensions: [][]string{{Service}}}
	byReason := directive{Namespace: Namespace, Dimensions: [][]string{{Service, reasonKey}}}
	attrs := make([]slog.Attr, 0, len(metrics)+1)
	for _, m := range metrics {
		attrs = append(attrs, slog.Int64(m.Name, m.Value))
		all.Metrics = append(all.Metrics, definition{m.Name, m.Unit})
		if m.PerReason {
			byReason.Metrics = append(byReason.Metrics, definition{m.Name, m.Unit})
		}
	}
	meta := metadata{Timestamp: at.UnixMilli(), CloudWatchMetrics: []directive{all}}
	if len(byReason.Metrics) > 0 {
		meta.CloudWatchMetrics = append(meta.CloudWatchMetrics, byReason)
	}
	return append(attrs, slog.Any("_aws", meta))
}

type line struct {
	level   slog.Level
	message string // constant: the variable parts are attributes
	attrs   []slog.Attr
	metrics []Metric
}

// add appends an attribute if says is true.
func (l *line) add(attr slog.Attr, says bool) {
	if says {
		l.attrs = append(l.attrs, attr)
	}
}

// write logs the line regardless of the logger's level, since the level must not switch off
// metrics. A failed write cannot be reported anywhere.
func (l *line) write(ctx context.Context, log *slog.Logger, at time.Time) {
	r := slog.NewRecord(at, l.level, l.message, 0)
	r.AddAttrs(l.attrs...)
	if len(l.metrics) > 0 {
		r.AddAttrs(embed(at, l.metrics)...)
	}
	_ = log.Handler().Handle(ctx, r)
}
