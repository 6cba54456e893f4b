package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"fairbridge/pkg/ledger"
)

// A feedback without attachments needs at least this: durable writes of its message, of the
// ledger's three entries and of the message's deletion, and two requests, the webhook's and
// Centercode's.
const (
	durableWrites = 5
	requests      = 2
)

// endToEnd takes feedbacks through a `fairbridge run`, from the webhook to the ticket.
var endToEnd = experiment{
	name: "embedded home, end to end",
	figures: []figure{
		{Key: "home.delivery", What: "embedded home, webhook to ticket, a feedback of 1,000", Unit: "ms", Floor: "its durable inserts and HTTP requests, in sequence", Must: reported},
		{Key: "home.memory", What: "embedded home, peak memory then", Unit: "MB", Must: reportedValue},
	},
	open: func(tb testing.TB, l *lab) round {
		binary := l.build(tb, "fairbridge/cmd/fairbridge", "")
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusAccepted) }))
		tb.Cleanup(server.Close)
		return func(tb testing.TB) []sample {
			n := l.scale.deliveries
			payloads := l.feedbacks(tb, n)
			floor := requests * send(tb, server.URL, 1, payloads)
			insert, began := newInsert(tb), time.Now()
			for _, payload := range payloads {
				if err := insert(tb.Context(), string(payload)); err != nil {
					tb.Fatal(err)
				}
			}
			floor += durableWrites * time.Since(began)
			b := startBridge(tb, l, binary, tb.TempDir(), "")
			took := b.deliver(tb, payloads)
			return []sample{
				{milliseconds(took) / float64(n), milliseconds(floor) / float64(n)},
				{value: processOf(tb, binary).peakMemory(tb)},
			}
		}
	},
}

// growth compares a home that has had many deliveries with one that has had few.
var growth = experiment{
	name: "growth",
	figures: []figure{
		{Key: "growth", What: "embedded home, a delivery at 100,000 in ledger and dead letters", Unit: "ms", Floor: "itself at 1,000", Must: atMostTimes(1.2)},
	},
	open: func(tb testing.TB, l *lab) round {
		binary := l.build(tb, "fairbridge/cmd/fairbridge", "")
		small, many := tb.TempDir(), tb.TempDir()
		fill(tb, l, small, l.scale.small)
		fill(tb, l, many, l.scale.many)
		return func(tb testing.TB) []sample {
			few, lots := startBridge(tb, l, binary, small, ""), startBridge(tb, l, binary, many, "")
			n := l.scale.deliveries / 8
			deliver := func(b *bridge) time.Duration { return b.deliver(tb, l.feedbacks(tb, n)) }
			deliver(few) // a new bridge reads its file first
			deliver(lots)
			const turns = 4
			var floor, subject time.Duration
			for range turns {
				floor += deliver(few)
				subject += deliver(lots)
			}
			return []sample{{milliseconds(subject) / float64(turns*n), milliseconds(floor) / float64(turns*n)}}
		}
	},
}

// fill adds n dead deliveries to the home in a folder, each with its letter and its entry
// in the ledger.
func fill(tb testing.TB, l *lab, folder string, n int) {
	home := openHome(tb, folder)
	defer closeHome(tb, home)
	letters := deadLetters(tb, l, n)
	addLetters(tb, home, letters)
	var writes errgroup.Group
	writes.SetLimit(256)
	for _, letter := range letters {
		writes.Go(func() error {
			return home.Ledger.Put(tb.Context(), ledger.Record{
				ID: letter.DeliveryID, Version: 1, State: string(ledger.Dead), ExpiresAt: letter.FailedAt.Add(ledger.RetainDone),
				Attention: ledger.AttentionPerson, Since: letter.FailedAt,
				// With a letter, since a start would otherwise adopt all of them.
				Doc: fmt.Appendf(nil, `{"deliveryId":%q,"state":"dead","attempts":1,"letter":1}`, letter.DeliveryID),
			})
		})
	}
	if err := writes.Wait(); err != nil {
		tb.Fatal(err)
	}
}
