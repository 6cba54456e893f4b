package main

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"fairbridge/pkg/deadletter"
	"fairbridge/pkg/deliveries"
	"fairbridge/pkg/embedded"
	"fairbridge/pkg/home"
	"fairbridge/pkg/ledger"
)

// looking asks a home what became of its deliveries, as the command and the console
// do, without the start of a process. One in a hundred is a dead letter.
var looking = experiment{
	name: "looking",
	figures: []figure{
		{Key: "look.find", What: "find, the last 50 of 100,000 deliveries", Unit: "ms", Floor: "1,000", Must: atMost(100)},
		{Key: "look.ticket", What: "find by a ticket, of 100,000", Unit: "ms", Floor: "1,000", Must: atMost(100)},
		{Key: "look.words", What: "find by words that nobody wrote, in 100,000", Unit: "ms", Floor: "1,000", Must: reportedValue},
		{Key: "look.show", What: "show one by the beginning of its id, of 100,000", Unit: "ms", Floor: "1,000", Must: atMost(100)},
		{Key: "look.list", What: "list 1,000 dead letters beside 100,000 deliveries", Unit: "ms", Floor: "10 beside 1,000", Must: atMost(1000)},
		{Key: "look.stats", What: "stats by app over 100,000 deliveries", Unit: "ms", Floor: "1,000", Must: reportedValue},
	},
	open: func(tb testing.TB, l *lab) round {
		few, many := openLooker(tb, l, l.scale.small), openLooker(tb, l, l.scale.many)
		return func(tb testing.TB) []sample {
			floor, subject := few.look(tb), many.look(tb)
			samples := make([]sample, len(subject))
			for i := range subject {
				samples[i] = sample{milliseconds(subject[i]), milliseconds(floor[i])}
			}
			return samples
		}
	},
}

// looker looks at a home with n deliveries.
type looker struct {
	n      int
	finder *deliveries.Finder
	desk   *deadletter.Desk
}

func openLooker(tb testing.TB, l *lab, n int) *looker {
	e := openHome(tb, tb.TempDir())
	tb.Cleanup(func() { closeHome(tb, e) })
	fillLedger(tb, l, e, n)
	h := home.Folder(e)
	finder, err := deliveries.New(deliveries.Config{Home: h})
	if err != nil {
		tb.Fatal(err)
	}
	desk, err := deadletter.New(deadletter.Config{Home: h})
	if err != nil {
		tb.Fatal(err)
	}
	return &looker{n: n, finder: finder, desk: desk}
}

// lookedID is the id of the n-th delivery.
func lookedID(n int) string { return fmt.Sprintf("%08x%056x", uint32(n)*2654435761, n) }

// fillLedger has n deliveries ended, a minute after each other.
func fillLedger(tb testing.TB, l *lab, e *embedded.Home, n int) {
	const oneDeadIn = 100
	letters := deadLetters(tb, l, max(n/oneDeadIn, 1))
	addLetters(tb, e, letters)
	began := time.Now().UTC().Truncate(time.Second).Add(-time.Duration(n) * 10 * time.Second)
	var writes errgroup.Group
	writes.SetLimit(256)
	for i := range n {
		at := began.Add(time.Duration(i) * 10 * time.Second)
		entry := ledger.Entry{
			DeliveryID: lookedID(i), Form: 1, State: ledger.Completed, TicketID: fmt.Sprintf("BUG-%d", i), Attempts: 1, FirstSeen: at, UpdatedAt: at.Add(2 * time.Second),
			Where: &ledger.Where{BaseURL: "https://beta.example.com", Project: "DEMO", Source: "testfairy", Mapping: lookedID(0)}, CreatingSince: at,
			Tried: []ledger.Attempt{{At: at, Decision: ledger.DecisionCompleted, Took: 2000}},
			About: &ledger.About{
				ReceivedAt: at, Kind: "feedback", App: fmt.Sprintf("App %d", i%20), Version: "1.2", Build: "7", Session: fmt.Sprintf("/projects/1/builds/2/sessions/%d", i),
				Email: fmt.Sprintf("tester%d@example.com", i%500), Text: "The button does nothing when I press it twice, and then the list is empty until I start the app again.",
			},
		}
		r := ledger.Record{ID: entry.DeliveryID, Version: 1, State: string(ledger.Completed), ExpiresAt: at.Add(ledger.RetainDone)}
		if i%oneDeadIn == 0 && i/oneDeadIn < len(letters) {
			entry.DeliveryID, entry.State, entry.TicketID = letters[i/oneDeadIn].DeliveryID, ledger.Dead, ""
			entry.Last = &ledger.Fault{Reason: "rejected", Stage: "create", Status: 400, Text: "no", At: at}
			r.ID, r.State, r.Attention, r.Since = entry.DeliveryID, string(ledger.Dead), ledger.AttentionPerson, at
		}
		writes.Go(func() (err error) {
			if r.Doc, err = json.Marshal(entry); err == nil {
				err = e.Ledger.Put(tb.Context(), r)
			}
			return err
		})
	}
	if err := writes.Wait(); err != nil {
		tb.Fatal(err)
	}
}

// look takes the time of everything that the figures name, in their order.
func (k *looker) look(tb testing.TB) []time.Duration {
	find := func(q ledger.Query, want int) func() error {
		return func() error {
			found := 0
			_, err := k.finder.Find(tb.Context(), q, 50, func(deliveries.Delivery) error {
				found++
				return nil
			})
			if err == nil && found != want {
				err = fmt.Errorf("found %d of %d", found, want)
			}
			return err
		}
	}
	last := k.n - 1
	now := time.Now()
	calls := []func() error{
		find(ledger.Query{}, min(50, k.n)),
		find(ledger.Query{Ticket: fmt.Sprintf("bug-%d", last)}, 1),
		find(ledger.Query{Text: "nobody wrote this"}, 0),
		func() error {
			_, err := k.finder.Show(tb.Context(), lookedID(last)[:12], nil)
			return err
		},
		func() error {
			_, err := k.desk.Look(tb.Context(), deadletter.Wish{Payloads: true})
			return err
		},
		func() error {
			s, err := k.finder.Stats(tb.Context(), deliveries.StatsQuery{Since: now.AddDate(0, -1, 0), Until: now, By: deliveries.ByApp})
			if err == nil && s.Total.Received != k.n {
				err = fmt.Errorf("counted %d of %d", s.Total.Received, k.n)
			}
			return err
		},
	}
	took := make([]time.Duration, len(calls))
	for i, call := range calls {
		began := time.Now()
		if err := call(); err != nil {
			tb.Fatal(err)
		}
		took[i] = time.Since(began)
	}
	return took
}
