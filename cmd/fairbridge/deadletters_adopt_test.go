package main

import (
	"strings"
	"testing"

	"fairbridge/pkg/deadletter"
	"fairbridge/pkg/ledger"
	"fairbridge/pkg/queue"
)

func TestAdopt(t *testing.T) {
	moved := func(n int) deadletter.Letter {
		l := rejected(t, n, "")
		l.DeadLetter = queue.DeadLetter{DeliveryID: l.DeliveryID, Event: l.Event, Reason: queue.ReasonWorkerDied}
		return l
	}
	h := newLetterHome(t,
		moved(1),                               // SQS moved it before any worker claimed it
		moved(2),                               // SQS moved it after workers had claimed it
		rejected(t, 3, ""), rejected(t, 3, ""), // written by an earlier version, twice
		rejected(t, 4, ""), rejected(t, 5, ""), // completed; dropped
		moved(6), rejected(t, 7, ""), // held by a worker; already known
	)
	c := h.claim(idOf(2), 0)
	h.must(c.Creating(t.Context(), ledger.Where{Project: "DEMO"}))
	h.must(c.Release(t.Context(), faultOf("create", 0, "lost"), false, 0))
	h.must(h.claim(idOf(3), 0).Died(t.Context(), faultOf("create", 400, "no"), true))
	h.must(h.claim(idOf(4), 1).Completed(t.Context()))
	h.must(h.ledger.Drop(t.Context(), idOf(5), 1, "a joke"))
	h.claim(idOf(6), 0)
	known := h.claim(idOf(7), 0)
	h.must(known.KeepLetter(t.Context(), []byte("its own")))
	h.must(known.Died(t.Context(), faultOf("create", 400, "no"), true))

	for range 2 { // the second time it changes nothing
		got := h.dlq("adopt")
		if got.code != exitLeft || !strings.HasPrefix(got.out, "4 dead letters known to the ledger, ") ||
			!strings.Contains(got.err, shortID(idOf(6))+" was not adopted: delivery is held by another worker") {
			t.Errorf("%+v", got)
		}
	}
	waiting, err := h.home.Ledger.Noted(t.Context(), ledger.AttentionPerson)
	h.must(err)
	if len(waiting) != 4 {
		t.Errorf("%d wait for a person", len(waiting))
	}
	for n, want := range map[int]struct {
		resume ledger.State
		letter string
	}{
		1: {ledger.Claimed, `"text\":\"feedback 1\"`}, 2: {ledger.Creating, `"text\":\"feedback 2\"`},
		3: {ledger.Claimed, `"text\":\"feedback 3\"`}, 7: {ledger.Claimed, "its own"},
	} {
		e := h.entry(idOf(n))
		letter, err := h.ledger.Letter(t.Context(), e)
		if err != nil || e.Resume != want.resume || e.Last == nil || !strings.Contains(string(letter), want.letter) {
			t.Errorf("%d: %+v, letter %q, %v", n, e, letter, err)
		}
	}
	wantDeliveries(t, "left", h.dead(), 1, 2, 3, 6, 7)
}
