package deliveries

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"fairbridge/pkg/ingest"
	"fairbridge/pkg/ledger"
)

// By is what statistics are grouped by.
type By string

// The values of [StatsQuery].By; "" is for the total only.
const (
	ByApp  By = "app"
	ByDay  By = "day"
	ByHour By = "hour"
)

// Bys returns the values of [StatsQuery].By.
func Bys() []By { return []By{ByApp, ByDay, ByHour} }

// StatsQuery selects and groups deliveries for statistics.
type StatsQuery struct {
	// Since and Until bound when the webhook arrived: from Since on, and before Until. Both
	// are required.
	Since, Until time.Time
	By           By
	// Location is the time zone of days and hours; nil for UTC.
	Location *time.Location
	// Progress, if set, is called with the number of records read so far when that takes
	// long.
	Progress func(looked int)
}

// Stats counts deliveries by when they were received.
type Stats struct {
	Since time.Time `json:"since"`
	Until time.Time `json:"until"`
	By    By        `json:"by,omitempty"`
	// Rows are sorted by time, with one for each day or hour; those of apps by frequency.
	Rows  []StatsRow `json:"rows,omitempty"`
	Total StatsRow   `json:"total"`
	// RefusedMore means that more webhooks were refused than the home keeps.
	RefusedMore bool `json:"refusedMore,omitempty"`
}

// StatsRow counts the outcomes of some deliveries: each received one is in exactly one of
// the five counts after Received.
type StatsRow struct {
	// Key is the app's name, or the day or hour as 2006-01-02 or 2006-01-02 15:00.
	Key      string `json:"key,omitempty"`
	Received int    `json:"received"`
	Tickets  int    `json:"tickets"`
	Waiting  int    `json:"waiting"` // on its way
	Dead     int    `json:"dead"`
	Dropped  int    `json:"dropped"`
	Ignored  int    `json:"ignored"` // by its route
	// Refused counts refused webhooks, except those that most likely came from strangers.
	// Their app is unknown.
	Refused int `json:"refused"`
	// P50 and P95 are percentiles of the time from the webhook to the ticket with its
	// files, in milliseconds. 0 without tickets.
	P50 int64 `json:"p50Ms"`
	P95 int64 `json:"p95Ms"`

	took []time.Duration
}

// add counts a delivery.
func (r *StatsRow) add(o ledger.Outcome) {
	r.Received++
	switch {
	case o.Ticket:
		r.Tickets++
		r.took = append(r.took, o.Took)
	case o.Standing == string(ledger.Completed):
		r.Ignored++
	case o.Standing == string(ledger.Dead):
		r.Dead++
	case ledger.Ended(o.Standing):
		r.Dropped++
	default:
		r.Waiting++
	}
}

// finish computes the percentiles, by nearest rank.
func (r *StatsRow) finish() {
	if len(r.took) == 0 {
		return
	}
	slices.Sort(r.took)
	rank := func(percent int) int64 {
		return r.took[(len(r.took)*percent+99)/100-1].Milliseconds()
	}
	r.P50, r.P95 = rank(50), rank(95)
	r.took = nil
}

// Stats counts the deliveries that were received in a period.
func (f *Finder) Stats(ctx context.Context, q StatsQuery) (*Stats, error) {
	all, err := f.StatsBy(ctx, q, q.By)
	if err != nil {
		return nil, err
	}
	return all[0], nil
}

// StatsBy is [Finder.Stats] grouped in several ways, ignoring q.By: all are counted in one
// pass over the deliveries, and returned in the order of bys.
func (f *Finder) StatsBy(ctx context.Context, q StatsQuery, bys ...By) ([]*Stats, error) {
	if q.Location == nil {
		q.Location = time.UTC
	}
	counts := make([]*count, len(bys))
	for i, by := range bys {
		q.By = by
		counts[i] = newCount(q)
	}
	search := ledger.Query{Since: q.Since, Until: q.Until, Progress: q.Progress}
	err := f.home.History.Outcomes(ctx, search, func(o ledger.Outcome) {
		for _, c := range counts {
			c.add(o)
		}
	})
	if err != nil {
		return nil, err
	}
	refused, err := f.home.Refusals.Refused(ctx)
	if err != nil {
		return nil, fmt.Errorf("count the webhooks that were refused: %w", err)
	}
	all := make([]*Stats, len(bys))
	for i, c := range counts {
		c.addRefused(refused)
		all[i] = c.finish()
	}
	return all, nil
}

// count is a Stats in progress.
type count struct {
	Stats
	location *time.Location
	rows     map[string]*StatsRow
}

// newCount returns a count with the rows that exist whatever was received.
func newCount(q StatsQuery) *count {
	c := &count{Stats{Since: q.Since.UTC(), Until: q.Until.UTC(), By: q.By}, q.Location, map[string]*StatsRow{}}
	if c.byTime() {
		for t := q.Since; t.Before(q.Until); t = t.Add(time.Hour) {
			c.row(c.key(t))
		}
	}
	return c
}

func (c *count) byTime() bool { return c.By == ByDay || c.By == ByHour }

// key returns the key of a time's row.
func (c *count) key(t time.Time) string {
	if c.By == ByHour {
		return t.In(c.location).Format("2006-01-02 15:00")
	}
	return t.In(c.location).Format(time.DateOnly)
}

func (c *count) row(key string) *StatsRow {
	if c.rows[key] == nil {
		c.rows[key] = &StatsRow{Key: key}
	}
	return c.rows[key]
}

func (c *count) add(o ledger.Outcome) {
	c.Total.add(o)
	switch {
	case c.By == ByApp:
		c.row(o.App).add(o)
	case c.byTime():
		c.row(c.key(o.Received)).add(o)
	}
}

// finish computes the percentiles, and sorts the rows.
func (c *count) finish() *Stats {
	for _, r := range c.rows {
		r.finish()
		c.Rows = append(c.Rows, *r)
	}
	slices.SortFunc(c.Rows, func(a, b StatsRow) int {
		if c.By == ByApp && a.Received != b.Received {
			return cmp.Compare(b.Received, a.Received)
		}
		return cmp.Compare(a.Key, b.Key)
	})
	c.Total.finish()
	return &c.Stats
}

// addRefused counts refused webhooks.
func (c *count) addRefused(refused ingest.Refused) {
	known := 0
	for _, r := range refused.Last {
		if r.Reason.Strange() {
			continue
		}
		known++
		if r.At.Before(c.Since) || !r.At.Before(c.Until) {
			continue
		}
		c.Total.Refused++
		c.RefusedMore = known >= ingest.RefusedKept // so one that was dropped may be from the period, too
		if c.byTime() {
			c.row(c.key(r.At)).Refused++
		}
	}
}
