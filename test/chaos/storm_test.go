package main

import (
	"context"
	"strings"
	"testing"
	"time"
)

// TestStorm runs one storm; `make chaos` runs all of them.
func TestStorm(t *testing.T) {
	t.Parallel()
	picked, err := chosen("unlinked", true)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	var progress, table strings.Builder
	reports, err := asked{picked, true}.run(ctx, 5, binary, t.TempDir(), &progress)
	if err != nil {
		t.Fatalf("%v\n%s", err, &progress)
	}
	if err := writeStorms(&table, reports); err != nil {
		t.Fatal(err)
	}
	r := reports[0]
	if len(r.Violations) > 0 || r.Tickets != 60 || r.Losses != 1 || r.Chosen == "" || r.PeakBytes == 0 {
		t.Errorf("got %+v\n%s", r, &table)
	}
	if !strings.Contains(progress.String(), "seed 5") || !strings.Contains(table.String(), "unlinked") {
		t.Errorf("it does not say what it was: %s\n%s", &progress, &table)
	}
}

// TestStormsThatBreakThePromise: what a storm finds is in the report, and makes the run
// fail.
func TestStormsThatBreakThePromise(t *testing.T) {
	t.Parallel()
	g := &gale{world: openWorld(t, settings{Seed: 1, Deliveries: 10}, binary)}
	g.bridge.peak = mostMemory + 1<<20
	// Nothing was sent: the ledger has none of the deliveries.
	r, err := g.judge(t.Context(), storm{name: "none", letters: true}, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	all := strings.Join(r.Violations, "\n")
	for _, want := range []string{"101 MB of memory", "no dead letter", "0 entries for 10 deliveries"} {
		if !strings.Contains(all, want) {
			t.Errorf("want %q; the violations are %q", want, all)
		}
	}
	whole := newReport(g.plan.settings)
	whole.Storms = []*stormReport{r}
	if whole.kept() {
		t.Error("a run with a storm that broke the promise counts as kept")
	}
	if err := g.status(t.Context(), []string{"dead letter"}); err != nil {
		t.Fatal(err)
	}
	if all := strings.Join(g.report.Violations, "\n"); !strings.Contains(all, `status does not say "dead letter"`) {
		t.Errorf("status was believed: %q", all)
	}
}

func TestChosenStorms(t *testing.T) {
	for _, tc := range []struct {
		names string
		short bool
		want  int
	}{{"none", false, 0}, {"all", false, len(storms)}, {"all", true, len(storms) - 2}, {"flood,stopped", true, 2}} {
		if got, err := chosen(tc.names, tc.short); err != nil || len(got) != tc.want {
			t.Errorf("%s, short %t: %d storms, %v; want %d", tc.names, tc.short, len(got), err, tc.want)
		}
	}
	if _, err := chosen("fog", false); err == nil || !strings.Contains(err.Error(), "flood") {
		t.Errorf("got %v", err)
	}
}
