// Package breakertest is the contract test of a [breaker.Store] shared by several workers:
// when several change a project's record at the same time, exactly one succeeds.
package breakertest

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync"
	"testing"
	"time"

	"fairbridge/pkg/breaker"
)

const workers = 8

// Run makes eight workers, each a process of its own, open, probe and close a project in
// the store.
func Run(t *testing.T, store breaker.Store) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	project := "P" + rand.Text()
	all := make([]*breaker.Breaker, workers)
	for i := range all {
		b, err := breaker.New(breaker.Config{Store: store, Now: func() time.Time { return now }})
		if err != nil {
			t.Fatal(err)
		}
		all[i] = b
	}
	// ask makes all workers ask at the same time, and returns the passes.
	ask := func() (passes []*breaker.Pass) {
		t.Helper()
		var mu sync.Mutex
		var group sync.WaitGroup
		for i, b := range all {
			group.Go(func() {
				pass, _, err := b.Ask(t.Context(), breaker.Subject{
					Project: project, Delivery: fmt.Sprint(i), Probe: func(context.Context) *breaker.Fault { return nil },
				})
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					t.Error(err)
				}
				if pass != nil {
					passes = append(passes, pass)
				}
			})
		}
		group.Wait()
		return passes
	}

	passes := ask()
	if len(passes) != workers {
		t.Fatalf("%d of %d workers may send to a project that nothing is known of", len(passes), workers)
	}
	// All workers report their failures at the same time.
	var group sync.WaitGroup
	for _, b := range all {
		group.Go(func() {
			for i := range 6 {
				pass, _, err := b.Ask(t.Context(), breaker.Subject{Project: project, Delivery: fmt.Sprint(i % 3), Probe: func(context.Context) *breaker.Fault { return nil }})
				if err != nil || pass == nil {
					continue // another worker has opened it
				}
				if err := pass.Unwell(t.Context(), breaker.Fault{Status: 503}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	now = now.Add(time.Second * 3) // the cached record is no longer current
	if passes := ask(); len(passes) != 0 {
		t.Fatalf("%d workers may send to a project that is open", len(passes))
	}
	now = now.Add(time.Minute)
	if passes = ask(); len(passes) != 1 || !passes[0].First() {
		t.Fatalf("%d workers go first, want one", len(passes))
	}
	if err := passes[0].Well(t.Context()); err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Second * 3)
	if passes = ask(); len(passes) != workers {
		t.Errorf("%d of %d workers may send to a project that is well again", len(passes), workers)
	}

	if _, err := all[0].Pause(t.Context(), project, breaker.Pause{Why: "a test", At: now, Until: now.Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Second * 3)
	if passes = ask(); len(passes) != 0 {
		t.Errorf("%d workers may send to a project that is paused", len(passes))
	}
	if _, err := all[1].Resume(t.Context(), project); err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Second * 3)
	if passes = ask(); len(passes) != workers {
		t.Errorf("%d of %d workers may send after the pause", len(passes), workers)
	}
}
