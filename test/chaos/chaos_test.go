package main

import (
	"context"
	"io"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// binary is the real command, built once.
var binary string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "chaos-test-")
	if err == nil {
		binary, err = build(context.Background(), dir, "fairbridge")
	}
	code := 1
	if err == nil {
		code = m.Run()
	} else {
		os.Stderr.WriteString(err.Error() + "\n")
	}
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

func planOf(t *testing.T, s settings) *plan {
	t.Helper()
	p, err := newPlan(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestShortRun is a short chaos run; `make chaos` runs a longer one.
func TestShortRun(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		park bool
	}{{"looked up", false}, {"parked", true}} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
			defer cancel()
			p := planOf(t, settings{Seed: 5, Deliveries: 60, Faults: 0.2, Kills: 1, Park: tc.park})
			var progress strings.Builder
			r, err := run(ctx, p, binary, t.TempDir(), &progress)
			if err != nil {
				t.Fatalf("%v\n%s", err, &progress)
			}
			var table strings.Builder
			if err := r.writeTable(&table); err != nil {
				t.Fatal(err)
			}
			if !r.kept() || r.Tickets != 60 || r.Lost != 0 || r.Twice != 0 {
				t.Errorf("the promise is not kept:\n%s", &table)
			}
			if r.Killed != 1 || r.Interrupted != 1 || sum(r.Faults) < 20 || r.Duplicates == 0 {
				t.Errorf("this was no chaos:\n%s", &table)
			}
			t.Logf("\n%s", &table)
		})
	}
}

func TestSeedMakesThePlan(t *testing.T) {
	s := settings{Seed: 7, Deliveries: 100, Faults: 0.2, Kills: 3}
	first := planOf(t, s)
	if !reflect.DeepEqual(first, planOf(t, s)) {
		t.Error("the same seed gave two plans")
	}
	s.Seed++
	if reflect.DeepEqual(first.deliveries, planOf(t, s).deliveries) {
		t.Error("two seeds gave the same deliveries")
	}
}

// TestPlanHasEveryFault holds that plans draw every fault of the catalogue.
func TestPlanHasEveryFault(t *testing.T) {
	p := planOf(t, settings{Seed: 1, Deliveries: 2000, Faults: 0.2, Kills: 3})
	drawn := map[string]bool{}
	note := func(names []string) {
		for _, name := range names {
			drawn[name] = true
		}
	}
	ids := map[string]bool{}
	for _, d := range p.deliveries {
		ids[d.id] = true
		note(d.create)
		for _, element := range elements {
			note(d.files[element])
			note(d.fetches[element])
		}
	}
	note(slices.Collect(maps.Values(p.lookups)))
	for _, name := range slices.Concat(slices.Collect(maps.Keys(createFaults)), slices.Collect(maps.Keys(fileFaults)),
		slices.Collect(maps.Keys(lookupFaults)), slices.Collect(maps.Keys(sourceFaults)), []string{silentCreate, silentSource}) {
		if !drawn[name] {
			t.Errorf("%q was not drawn", name)
		}
	}
	happen := map[happening]int{}
	for _, e := range p.events {
		happen[e.what]++
	}
	if happen[killBefore]+happen[killAfter] != 3 || happen[interrupt] != 1 || happen[rotate] != 1 || happen[turnBusy] != 1 || happen[turnAway] != 1 || happen[redeliver] != 2 {
		t.Errorf("events %v", p.events)
	}
	if len(ids) != 2000 || len(p.sends) < 2100 || len(p.late) == 0 {
		t.Errorf("%d deliveries, %d webhooks, %d of them late", len(ids), len(p.sends), len(p.late))
	}
}

func TestCallsThatAreWrong(t *testing.T) {
	for _, args := range [][]string{
		{"--deliveries", "1"}, {"--faults", "2"}, {"--kills", "-1"}, {"--no-such-flag"}, {"word"}, {"--dir", t.TempDir()},
	} {
		if err := command(t.Context(), args, io.Discard, io.Discard); err == nil {
			t.Errorf("%v was taken", args)
		}
	}
}
