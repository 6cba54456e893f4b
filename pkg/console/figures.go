package console

import (
	"context"
	"fmt"
	"slices"
	"time"

	"fairbridge/pkg/deliveries"
)

// span is a period that the first page's charts show.
type span struct {
	Name, Title, Href string
	lasts             time.Duration
	by                deliveries.By
}

var spans = []span{
	{"24 h", "Last 24 hours", "/", 24 * time.Hour, deliveries.ByHour},
	{"7 d", "Last 7 days", "/?span=7d", 7 * 24 * time.Hour, deliveries.ByDay},
}

// figures are the charts of a span, and in a folder a row for each of the most frequent
// apps.
type figures struct {
	Charts  []chart
	Apps    []deliveries.StatsRow
	Problem string // why there are no charts
}

const (
	// figuresShare is the inverse of the largest share of time that is spent on counting.
	figuresShare = 20
	// figuresOnStack is how long a stack's are used: CloudWatch has one value a minute, and
	// each call is billed.
	figuresOnStack = time.Minute
	// figuresWait is how long a page waits for the first figures.
	figuresWait = 50 * time.Millisecond
	appsShown   = 8
)

// figures returns what has been counted; nil if nothing has been yet. A page waits only a
// moment, since a whole week is read, and is notified later.
func (s *Console) figures(ctx context.Context, of span) *figures {
	counted := s.counted[of.Name]
	last, _, next := counted.get()
	if last != nil {
		return last
	}
	select {
	case <-next:
	case <-time.After(figuresWait):
	case <-ctx.Done():
	}
	return counted.known()
}

// count counts the figures of a span. They are fresh for longer if that takes long.
func (s *Console) count(of span) (*figures, time.Duration) {
	began, now := time.Now(), s.Now()
	f := &figures{}
	if err := s.fill(f, deliveries.StatsQuery{Since: now.Add(-of.lasts), Until: now, By: of.by}); err != nil && s.running.Err() == nil {
		f.Problem = err.Error()
		s.Log.Warn("the console could not count deliveries", "err", err)
	}
	fresh := max(freshFor, figuresShare*time.Since(began))
	if s.Home.OnAWS() {
		fresh = max(fresh, figuresOnStack)
	}
	return f, fresh
}

// fill counts deliveries: a folder's in its ledger, a stack's by its metrics, which saves
// reading the whole table.
func (s *Console) fill(f *figures, q deliveries.StatsQuery) error {
	if s.Home.OnAWS() {
		stats, err := s.finder.Measured(s.running, q)
		if err == nil {
			f.Charts = chartsOf(stats)
		}
		return err
	}
	stats, err := s.finder.StatsBy(s.running, q, q.By, deliveries.ByApp)
	if err != nil {
		return err
	}
	f.Charts = chartsOf(stats[0])
	if apps := stats[1]; apps.Total.Received > 0 {
		f.Apps = apps.Rows[:min(len(apps.Rows), appsShown)]
	}
	return nil
}

// chartsOf draws statistics by day or hour.
func chartsOf(stats *deliveries.Stats) []chart {
	counts := func(title, class string, of func(deliveries.StatsRow) int) chart {
		var keys []string
		var values []int
		for _, r := range stats.Rows {
			keys, values = append(keys, r.Key), append(values, of(r))
		}
		return bars(title, class, keys, values)
	}
	all := []chart{
		counts("Received", "b", func(r deliveries.StatsRow) int { return r.Received }),
		counts("Tickets", "b", func(r deliveries.StatsRow) int { return r.Tickets }),
		counts("Dead letters", "d", func(r deliveries.StatsRow) int { return r.Dead }),
	}
	p50, p95 := series{Class: "l"}, series{Class: "l2"}
	for _, r := range stats.Rows {
		p50.Values, p95.Values = append(p50.Values, time.Duration(r.P50)*time.Millisecond), append(p95.Values, time.Duration(r.P95)*time.Millisecond)
	}
	took := lines("Time to ticket", p50, p95)
	if stats.Total.P50 > 0 {
		took.Sum = fmt.Sprintf("p50 %s · p95 %s", shortly(stats.Total.P50), shortly(stats.Total.P95))
	}
	return append(all, took)
}

// shortly formats milliseconds with a sensible number of digits.
func shortly(ms int64) string {
	d := time.Duration(ms) * time.Millisecond
	switch {
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Round(time.Millisecond).Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%.3g s", d.Round(100*time.Millisecond).Seconds())
	}
	return lasting(d)
}

// spanNamed returns the span that a page's address requests.
func spanNamed(name string) span {
	if i := slices.IndexFunc(spans, func(s span) bool { return s.Href == "/?span="+name }); i >= 0 {
		return spans[i]
	}
	return spans[0]
}
