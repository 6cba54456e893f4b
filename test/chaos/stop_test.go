package main

import (
	"context"
	"testing"
	"time"

	centercodesim "fairbridge/pkg/centercode/simulator"
	"fairbridge/pkg/deadletter"
	testfairysim "fairbridge/pkg/testfairy/simulator"
)

// TestInterruptedWhileFarEndsHang: Ctrl-C ends the bridge within 10 s and with exit code 0,
// although nobody answers it. Nothing stays held, and after the next start each delivery
// has one ticket.
func TestInterruptedWhileFarEndsHang(t *testing.T) {
	t.Parallel()
	hang := centercodesim.Fault{Times: -1, Delay: 5 * time.Minute}
	of := func(op centercodesim.Op) func(*world) {
		return func(w *world) {
			f := hang
			f.Op = op
			w.far.center.Inject(f)
		}
	}
	for _, tc := range []struct {
		name string
		park bool
		hang func(*world)
		// hangs reports whether the request hangs.
		hangs func(*world) bool
	}{
		{"ticket, looked up", false, of(centercodesim.OpCreate), func(w *world) bool { return w.far.center.Requests().Create >= 4 }},
		{"ticket, parked", true, of(centercodesim.OpCreate), func(w *world) bool { return w.far.center.Requests().Create >= 4 }},
		{"file", true, of(centercodesim.OpFile), func(w *world) bool { return w.far.center.Requests().File >= 4 }},
		{"source", true, func(w *world) {
			for _, d := range w.plan.deliveries {
				w.far.source.Inject(d.sources["screenshot"], testfairysim.Fault{Delay: 5 * time.Minute})
			}
		}, func(w *world) bool { return w.far.fetches() >= 4 }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			w := openWorld(t, settings{Seed: 1, Deliveries: 10, Park: tc.park}, binary)
			tc.hang(w)
			w.once(t, ctx, func() {
				if err := w.sender.send(ctx, w.plan.sends); err != nil {
					t.Fatal(err)
				}
				if err := until(ctx, func() bool { return tc.hangs(w) }); err != nil {
					t.Fatal(err)
				}
			})
			for _, fault := range w.bridge.faults {
				t.Error(fault)
			}
			for _, d := range w.plan.deliveries {
				if e, err := w.checker.ledger.Entry(ctx, d.id); err == nil && e.Owner != "" {
					t.Errorf("still held: %s", shown(e))
				}
			}

			w.far.center.Heal()
			for _, d := range w.plan.deliveries {
				w.far.source.Heal(d.sources["screenshot"])
			}
			w.once(t, ctx, func() {
				for letters := 1; letters > 0; {
					if err := w.settled(ctx); err != nil {
						t.Fatal(err)
					}
					var err error
					letters, err = w.operator.round(ctx, func(cases []deadletter.Case) error { return w.checker.check(ctx, cases) })
					if err != nil {
						t.Fatal(err)
					}
				}
			})
			if !w.report.kept() || len(w.far.center.Tickets()) != 10 {
				t.Errorf("%d tickets; violations: %q", len(w.far.center.Tickets()), w.report.Violations)
			}
		})
	}
}

// once runs one bridge for the duration of work, and then interrupts it.
func (w *world) once(t *testing.T, ctx context.Context, work func()) {
	t.Helper()
	running, interrupt := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- w.bridge.run(running) }()
	defer func() {
		interrupt()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	if _, err := w.bridge.ready(ctx, ""); err != nil {
		t.Fatal(err)
	}
	work()
}

func (f *farEnd) fetches() (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return sum(f.fetched)
}
