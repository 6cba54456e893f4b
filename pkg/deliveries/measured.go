package deliveries

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"fairbridge/pkg/telemetry"
)

// measure is a metric of pkg/telemetry, and how its values are added to a row.
type measure struct {
	function string // without the stack's name
	metric   string
	stat     string
	add      func(r *StatsRow, value float64)
}

var measures = []measure{
	{"ingest", telemetry.Received, "Sum", func(r *StatsRow, v float64) { r.Received += int(v) }},
	{"ingest", telemetry.Ignored, "Sum", func(r *StatsRow, v float64) { r.Received -= int(v) }},
	{"ingest", telemetry.Rejected, "Sum", func(r *StatsRow, v float64) { r.Received -= int(v) }},
	{"ingest", telemetry.Failed, "Sum", func(r *StatsRow, v float64) { r.Received -= int(v) }},
	{"worker", telemetry.TicketsCreated, "Sum", func(r *StatsRow, v float64) { r.Tickets += int(v) }},
	{"worker", telemetry.DeadLetters, "Sum", func(r *StatsRow, v float64) { r.Dead += int(v) }},
	// Two points in one row are two parts of it: the slower one is shown.
	{"worker", telemetry.WebhookToTicket, "p50", func(r *StatsRow, v float64) { r.P50 = max(r.P50, int64(v)) }},
	{"worker", telemetry.WebhookToTicket, "p95", func(r *StatsRow, v float64) { r.P95 = max(r.P95, int64(v)) }},
}

// measurePages bounds what is read from CloudWatch; everything fits into the first page.
// See
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html
const measurePages = 10

// Measured returns a stack's statistics from CloudWatch by day or hour in UTC, without
// reading the ledger's table. The rows count what happened in their time: a webhook that
// came twice was received twice, and a delivery that became a dead letter again after a
// replay counts twice. Only Received, Tickets, Dead and the percentiles are known, and no
// percentiles for the total. The first row starts at the beginning of a day or hour; the
// last minute or two may be missing.
func (f *Finder) Measured(ctx context.Context, q StatsQuery) (*Stats, error) {
	if f.home.Metrics == nil || q.By != ByDay && q.By != ByHour {
		return nil, errors.New("only a stack's days and hours are measured")
	}
	q.Location = time.UTC
	period := time.Hour
	if q.By == ByDay {
		period = 24 * time.Hour
	}
	q.Since = q.Since.Truncate(period)
	c := newCount(q)
	in := &cloudwatch.GetMetricDataInput{StartTime: &q.Since, EndTime: &q.Until}
	for i, m := range measures {
		in.MetricDataQueries = append(in.MetricDataQueries, types.MetricDataQuery{
			Id: aws.String(fmt.Sprint("m", i)),
			MetricStat: &types.MetricStat{
				Metric: &types.Metric{
					Namespace: aws.String(telemetry.Namespace), MetricName: aws.String(m.metric),
					Dimensions: []types.Dimension{{Name: aws.String(telemetry.Service), Value: aws.String(f.home.Stack + "-" + m.function)}},
				},
				Period: aws.Int32(int32(period / time.Second)), Stat: aws.String(m.stat),
			},
		})
	}
	for range measurePages {
		out, err := f.home.Metrics.GetMetricData(ctx, in)
		if err != nil {
			return nil, fmt.Errorf("read the stack's metrics: %w", err)
		}
		for _, result := range out.MetricDataResults {
			if err := c.measured(result); err != nil {
				return nil, err
			}
		}
		if in.NextToken = out.NextToken; in.NextToken == nil {
			return c.finish(), nil
		}
	}
	return nil, errors.New("read the stack's metrics: there are too many pages")
}

// measured adds the values of a measure. Points are added to the row of their time: how
// CloudWatch aligns long periods is not documented.
func (c *count) measured(result types.MetricDataResult) error {
	var i int
	if _, err := fmt.Sscanf(aws.ToString(result.Id), "m%d", &i); err != nil || i < 0 || i >= len(measures) || len(result.Values) != len(result.Timestamps) {
		return fmt.Errorf("read the stack's metrics: unexpected result %q", aws.ToString(result.Id))
	}
	m := measures[i]
	if code := result.StatusCode; code == types.StatusCodeInternalError || code == types.StatusCodeForbidden {
		return fmt.Errorf("read the stack's metrics: %s: %s", m.metric, code)
	}
	for n, at := range result.Timestamps {
		if key := c.key(at); c.rows[key] != nil {
			m.add(c.rows[key], result.Values[n])
			if m.stat == "Sum" {
				m.add(&c.Total, result.Values[n])
			}
		}
	}
	return nil
}
