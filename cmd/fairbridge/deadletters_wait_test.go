package main

import (
	"testing"
	"time"
)

// TestWait checks that the results of replayed deliveries are printed in the order of the
// letters.
func TestWait(t *testing.T) {
	t.Parallel()
	h := newLetterHome(t, rejected(t, 1, ""), rejected(t, 2, ""), moved(t, 3), rejected(t, 4, ""), rejected(t, 5, ""))
	for n := range 5 {
		if n+1 != 3 {
			h.must(h.claim(idOf(n+1), 0).Died(t.Context(), faultOf("create", 400, "x"), true))
		}
	}
	release := func(n, generation, times int) {
		for range times {
			h.must(h.claim(idOf(n), generation).Release(t.Context(), faultOf("create", 503, "busy"), true, 0))
		}
	}
	release(3, 0, 1)
	done := make(chan ran)
	go func() { done <- h.dlq("replay", "--all", "--yes", "--wait", "--timeout", "5s") }()
	for len(h.messages(h.home.WorkQueueURL)) == 0 { // they arrive in one batch
		<-time.After(10 * time.Millisecond)
	}
	c := h.claim(idOf(1), 1)
	h.must(c.Created(t.Context(), "77", nil, nil))
	h.must(c.Completed(t.Context()))
	fault := faultOf("create", 400, "Still not.")
	fault.Reason = "rejected"
	h.must(h.claim(idOf(2), 1).Died(t.Context(), fault, true))
	release(3, 0, 1)
	h.must(h.claim(idOf(4), 1).Completed(t.Context()))
	(<-done).want(t, exitLeft, "5 dead letters replayed\n"+
		shortID(idOf(1))+"  completed, ticket 77\n"+
		shortID(idOf(2))+"  dead again: rejected at create (HTTP 400): Still not.\n"+
		shortID(idOf(4))+"  completed\n"+
		shortID(idOf(5))+"  has not ended yet\n"+
		shortID(idOf(3))+"  has not ended yet\n", "fairbridge: 2 completed, 1 dead again (1 rejected), 2 still on their way\n")
}
