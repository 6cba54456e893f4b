package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"
)

const (
	// slots is the number of deliveries that `fairbridge run` processes at once.
	slots = 40
	// batch is how many of them are received, and end, together.
	batch = 10
	// dripSpeed and dripSize are those of the slow files, in bytes a second and bytes: they
	// outlast a round.
	dripSpeed, dripSize = 2000, 10 << 20
)

// slowFiles measures feedbacks that arrive while slow files take all slots.
var slowFiles = experiment{
	name: "slow files",
	once: true,
	figures: []figure{
		{Key: "slow.taken", What: "embedded home, the longest from webhook to ticket of 20 while slow files take all slots", Unit: "s", Must: atMost(25)},
		{Key: "slow.handed", What: "embedded home, webhook to ticket while 40 slow files are sent, p95", Unit: "ms", Floor: "without them", Must: atMostTimes(1.1)},
	},
	open: func(tb testing.TB, l *lab) round {
		binary := l.build(tb, "fairbridge/cmd/fairbridge", "")
		return func(tb testing.TB) []sample {
			var open atomic.Int64
			source := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				open.Add(1)
				drip(w, r)
			}))
			tb.Cleanup(source.Close)
			b := startBridge(tb, l, binary, tb.TempDir(), fmt.Sprintf("sources: {resolve: {app.testfairy.com: %q}}\n", source.URL))
			usual := startBridge(tb, l, binary, tb.TempDir(), "")
			// Alternating, so that a busy moment of the machine affects both.
			alternately := func() (took, floor timings) {
				for range max(20, l.scale.deliveries/4) {
					floor = append(floor, usual.ages(tb, l.feedbacks(tb, 1))...)
					took = append(took, b.ages(tb, l.feedbacks(tb, 1))...)
				}
				return took, floor
			}
			alternately() // warm-up: they have only just started
			send(tb, b.webhook, clients, l.slowFeedbacks(tb, slots))
			for open.Load() < slots/batch { // at least one of each batch
				if err := tb.Context().Err(); err != nil {
					tb.Fatal(err)
				}
				time.Sleep(10 * time.Millisecond)
			}
			longest := b.ages(tb, l.feedbacks(tb, 20)).percentile(100)
			took, floor := alternately()
			return []sample{{value: longest / 1000}, {took.percentile(95), floor.percentile(95)}}
		}
	},
}

// slowFeedbacks returns n payloads whose screenshots drip.
func (l *lab) slowFeedbacks(tb testing.TB, n int) (payloads [][]byte) {
	for i := range n {
		payloads = append(payloads, l.feedback(tb, fmt.Sprint("Slow ", i), "https://app.testfairy.com/slow.jpg"))
	}
	return payloads
}

// drip serves a picture, slowly.
func drip(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "image/jpeg")
	w.Header().Set("Content-Length", fmt.Sprint(dripSize))
	piece := make([]byte, dripSpeed)
	copy(piece, "\xff\xd8\xff\xe0") // how a JPEG starts
	for range dripSize / dripSpeed {
		if _, err := w.Write(piece); err != nil {
			return
		}
		if err := http.NewResponseController(w).Flush(); err != nil {
			return
		}
		select {
		case <-time.After(time.Second):
		case <-r.Context().Done():
			return
		}
	}
}
