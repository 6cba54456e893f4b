package telemetry

import (
	"context"
	"log/slog"
	"time"
)

// Namespace is where the metrics are in CloudWatch.
const Namespace = "FairBridge"

// The dimensions. Ids are never one: each value of a dimension is a metric of
// its own, and is paid for.
const (
	// Service is the function that counts.
	Service   = "service"
	reasonKey = "reason"
)

// CloudWatch's units.
const (
	count        = "Count"
	bytes        = "Bytes"
	milliseconds = "Milliseconds"
	seconds      = "Seconds"
)

// metric is one value. With perReason it is also counted by the line's reason.
type metric struct {
	name      string
	unit      string
	value     int64
	perReason bool
}

// metadata is the _aws member of a line in CloudWatch's Embedded Metric Format.
// The values and the dimensions are members of the line itself.
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

// embed gives the attributes that make metrics of a log line.
func embed(at time.Time, metrics []metric) []slog.Attr {
	all := directive{Namespace: Namespace, Dimensions: [][]string{{Service}}}
	byReason := directive{Namespace: Namespace, Dimensions: [][]string{{Service, reasonKey}}}
	var attrs []slog.Attr
	for _, m := range metrics {
		attrs = append(attrs, slog.Int64(m.name, m.value))
		all.Metrics = append(all.Metrics, definition{m.name, m.unit})
		if m.perReason {
			byReason.Metrics = append(byReason.Metrics, definition{m.name, m.unit})
		}
	}
	meta := metadata{Timestamp: at.UnixMilli(), CloudWatchMetrics: []directive{all}}
	if len(byReason.Metrics) > 0 {
		meta.CloudWatchMetrics = append(meta.CloudWatchMetrics, byReason)
	}
	return append(attrs, slog.Any("_aws", meta))
}

// line is one outcome as it is logged.
type line struct {
	level   slog.Level
	message string // constant: what differs is in the attributes
	attrs   []slog.Attr
	metrics []metric
}

// add appends an attribute unless it says nothing.
func (l *line) add(attr slog.Attr, says bool) {
	if says {
		l.attrs = append(l.attrs, attr)
	}
}

// count appends a metric unless it is zero.
func (l *line) count(name, unit string, value int64) {
	if value > 0 {
		l.metrics = append(l.metrics, metric{name: name, unit: unit, value: value})
	}
}

// write logs the line whatever the logger's level is: its metrics must not end
// with it. A line that cannot be written has nowhere to be reported.
func (l *line) write(ctx context.Context, log *slog.Logger, at time.Time) {
	r := slog.NewRecord(at, l.level, l.message, 0)
	r.AddAttrs(l.attrs...)
	if len(l.metrics) > 0 {
		r.AddAttrs(embed(at, l.metrics)...)
	}
	_ = log.Handler().Handle(ctx, r)
}
