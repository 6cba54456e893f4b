package deliveries_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"fairbridge/pkg/deliveries"
	"fairbridge/pkg/ingest"
	"fairbridge/pkg/queue"
	"fairbridge/pkg/telemetry"
	"fairbridge/pkg/worker"
)

// point is a value of a metric with its dimensions at one time.
type point struct {
	metric string // namespace, name, dimension, value
	at     time.Time
	value  float64
}

// metrics is a CloudWatch with the metrics in the functions' log lines. It returns one
// result a page.
type metrics struct {
	t      *testing.T
	points []point
	status types.StatusCode
}

// count makes a function report an outcome at a time.
func (m *metrics) count(at time.Time, function string, report func(*slog.Logger)) {
	m.t.Helper()
	var out bytes.Buffer
	report(telemetry.NewLogger(&out, function, slog.LevelInfo))
	var line map[string]any
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		m.t.Fatal(err)
	}
	var emf struct {
		AWS struct {
			CloudWatchMetrics []struct {
				Namespace  string
				Dimensions [][]string
				Metrics    []struct{ Name string }
			}
		} `json:"_aws"`
	}
	if err := json.Unmarshal(out.Bytes(), &emf); err != nil {
		m.t.Fatal(err)
	}
	for _, directive := range emf.AWS.CloudWatchMetrics {
		for _, of := range directive.Metrics {
			name := []string{directive.Namespace, of.Name}
			for _, dimension := range directive.Dimensions[0] {
				name = append(name, dimension, line[dimension].(string))
			}
			m.points = append(m.points, point{strings.Join(name, " "), at, line[of.Name].(float64)})
		}
	}
}

func (m *metrics) ingested(at time.Time, o ingest.Outcome) {
	m.count(at, "bridge-ingest", func(log *slog.Logger) { telemetry.Ingest{Log: log}.Report(m.t.Context(), o) })
}

func (m *metrics) worked(at time.Time, o worker.Outcome) {
	m.count(at, "bridge-worker", func(log *slog.Logger) { telemetry.Worker{Log: log}.Report(m.t.Context(), o) })
}

// GetMetricData implements [home.Metrics].
func (m *metrics) GetMetricData(_ context.Context, in *cloudwatch.GetMetricDataInput, _ ...func(*cloudwatch.Options)) (*cloudwatch.GetMetricDataOutput, error) {
	page := len(aws.ToString(in.NextToken))
	q := in.MetricDataQueries[page]
	name := aws.ToString(q.MetricStat.Metric.Namespace) + " " + aws.ToString(q.MetricStat.Metric.MetricName)
	for _, d := range q.MetricStat.Metric.Dimensions {
		name += " " + aws.ToString(d.Name) + " " + aws.ToString(d.Value)
	}
	values := map[time.Time][]float64{}
	for _, p := range m.points {
		if p.metric == name && !p.at.Before(*in.StartTime) && p.at.Before(*in.EndTime) {
			at := p.at.Truncate(time.Duration(*q.MetricStat.Period) * time.Second)
			values[at] = append(values[at], p.value)
		}
	}
	result := types.MetricDataResult{Id: q.Id, StatusCode: types.StatusCodeComplete}
	if m.status != "" {
		result.StatusCode = m.status
	}
	for at, all := range values {
		result.Timestamps = append(result.Timestamps, at)
		slices.Sort(all)
		value := all[len(all)-1] // p95 of a few values
		switch aws.ToString(q.MetricStat.Stat) {
		case "Sum":
			value = 0
			for _, v := range all {
				value += v
			}
		case "p50":
			value = all[(len(all)-1)/2]
		}
		result.Values = append(result.Values, value)
	}
	out := &cloudwatch.GetMetricDataOutput{MetricDataResults: []types.MetricDataResult{result}}
	if page+1 < len(in.MetricDataQueries) {
		out.NextToken = aws.String(strings.Repeat("x", page+1))
	}
	return out, nil
}

// TestMeasured checks that the counts in a stack's logs are read back.
func TestMeasured(t *testing.T) {
	at := func(hour, minute int) time.Time { return time.Date(2026, 1, 2, hour, minute, 0, 0, time.UTC) }
	w := newWorld(t, at(12, 30))
	m := &metrics{t: t}
	w.home.Stack, w.home.Metrics = "bridge", m
	accepted := ingest.Outcome{Result: ingest.Accepted, Status: 202}
	created := func(age time.Duration) worker.Outcome { return worker.Outcome{Result: worker.Created, Age: age} }
	for _, minute := range []int{0, 15, 45} {
		m.ingested(at(10, minute), accepted)
		m.worked(at(10, minute), created(time.Duration(minute+1)*time.Second))
	}
	m.ingested(at(9, 59), accepted) // before the period
	for _, result := range []ingest.Result{ingest.Ignored, ingest.Rejected, ingest.Failed} {
		m.ingested(at(11, 0), ingest.Outcome{Result: result, Reason: ingest.ReasonNotJSON})
	}
	m.ingested(at(12, 10), accepted)
	m.worked(at(12, 11), worker.Outcome{Result: worker.Dead, Reason: queue.ReasonRejected})
	m.worked(at(12, 12), worker.Outcome{Result: worker.Retry})

	second := time.Second.Milliseconds()
	first := deliveries.StatsRow{Key: "2026-01-02 10:00", Received: 3, Tickets: 3, P50: 16 * second, P95: 46 * second}
	last := deliveries.StatsRow{Key: "2026-01-02 12:00", Received: 1, Dead: 1}
	total := deliveries.StatsRow{Received: 4, Tickets: 3, Dead: 1}
	day := total
	day.Key, day.Received, day.P50, day.P95 = "2026-01-02", 5, first.P50, first.P95
	for by, want := range map[deliveries.By][]deliveries.StatsRow{
		deliveries.ByHour: {first, {Key: "2026-01-02 11:00"}, last}, deliveries.ByDay: {day},
	} {
		got, err := w.finder().Measured(t.Context(), deliveries.StatsQuery{Since: at(10, 20), Until: at(12, 30), By: by})
		w.must(err)
		if !reflect.DeepEqual(got.Rows, want) {
			t.Errorf("by %s: got\n%+v; want\n%+v", by, got.Rows, want)
		}
		if by == deliveries.ByHour && !reflect.DeepEqual(got.Total, total) {
			t.Errorf("got %+v in all, want %+v", got.Total, total)
		}
	}
	if _, err := w.finder().Measured(t.Context(), deliveries.StatsQuery{Since: at(10, 20), Until: at(12, 30), By: deliveries.ByApp}); err == nil {
		t.Error("apps are measured")
	}
	m.status = types.StatusCodeForbidden
	if _, err := w.finder().Measured(t.Context(), deliveries.StatsQuery{Since: at(10, 20), Until: at(12, 30), By: deliveries.ByDay}); err == nil || !strings.Contains(err.Error(), "Forbidden") {
		t.Errorf("got %v", err)
	}
}
