package main

import (
	"strings"
	"testing"

	"fairbridge/pkg/ledger"
)

func TestSettle(t *testing.T) {
	inDoubt := func(h *letterHome, n int, file bool) *ledger.Claim {
		c := h.claim(idOf(n), 0)
		h.must(c.Creating(t.Context(), ledger.Where{}))
		if file {
			h.must(c.Created(t.Context(), "5", nil, nil))
			h.must(c.Attaching(t.Context(), "log"))
		}
		return c
	}
	park := func(h *letterHome, n int, file bool) {
		h.must(inDoubt(h, n, file).Died(t.Context(), faultOf("create", 0, "lost"), false))
	}
	id, config := shortID(idOf(1)), simulated(t)
	replayed := "1 dead letter replayed\n"
	for _, tc := range []struct {
		name    string
		prepare func(h *letterHome)
		args    []string
		err     string // "" means that it is replayed
		state   ledger.State
		ticket  string
	}{
		{"the ticket exists", func(h *letterHome) { park(h, 1, false) }, []string{"--as-created", "99"}, "", ledger.Created, "99"},
		{"the ticket does not exist", func(h *letterHome) { park(h, 1, false) }, []string{"--create-again"}, "", ledger.Claimed, ""},
		{"the file exists", func(h *letterHome) { park(h, 1, true) }, []string{"--as-created", "5"}, "", ledger.Created, "5"},
		{"the file does not exist", func(h *letterHome) { park(h, 1, true) }, []string{"--create-again"}, "", ledger.Created, "5"},
		{"the file of another ticket", func(h *letterHome) { park(h, 1, true) }, []string{"--as-created", "6"},
			"the ticket of delivery " + id + " is 5, not 6", ledger.Created, "5"},
		{"the ticket's id, which no response contained", func(h *letterHome) {
			c := inDoubt(h, 1, false)
			h.must(c.Created(t.Context(), "", nil, nil))
			h.must(c.Died(t.Context(), faultOf("attach", 0, "no endpoint"), true))
		}, []string{"--as-created", "99"}, "", ledger.Created, "99"},
		{"again, with the same result", func(h *letterHome) {
			park(h, 1, false)
			h.must(h.ledger.SettleCreated(t.Context(), idOf(1), "99"))
		}, []string{"--as-created", "99"}, "", ledger.Created, "99"},
		{"again, with the other result", func(h *letterHome) {
			park(h, 1, false)
			h.must(h.ledger.SettleCreated(t.Context(), idOf(1), "99"))
		}, []string{"--create-again"}, "delivery " + id + " is not in doubt: ticket 99 is made; replay it without --as-created and --create-again", ledger.Created, "99"},
		{"not in doubt", func(h *letterHome) {
			h.must(h.claim(idOf(1), 0).Died(t.Context(), faultOf("map", 0, "x"), false))
		}, []string{"--as-created", "99"}, "delivery " + id + " is not in doubt: its ticket is not made; replay it without --as-created", ledger.Claimed, ""},
		{"held by a worker", func(h *letterHome) { inDoubt(h, 1, false) }, []string{"--create-again"},
			"delivery " + id + " is in a worker's hands until ", ledger.Creating, ""},
		{"unknown", func(*letterHome) {}, []string{"--create-again"}, "", "", ""},
		{"unknown, and created", func(*letterHome) {}, []string{"--as-created", "9"}, "the ledger knows nothing of delivery " + id, "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := newLetterHome(t, rejected(t, 1, ""))
			tc.prepare(h)
			// A dry run predicts the result.
			dry := h.dlq(append([]string{"replay", id, "--dry-run", "--config", config}, tc.args...)...)
			if (dry.code == exitDone) != (tc.err == "") || !strings.HasPrefix(strings.TrimPrefix(dry.err, "fairbridge: "), tc.err) {
				t.Errorf("the dry run printed %+v, want %q", dry, tc.err)
			}
			got := h.dlq(append([]string{"replay", id}, tc.args...)...)
			if tc.err == "" {
				got.want(t, exitDone, replayed, "")
				wantDeliveries(t, "replayed", h.replayed(), 1)
			} else {
				if got.code != exitLeft || got.out != "" || !strings.HasPrefix(got.err, "fairbridge: "+tc.err) {
					t.Errorf("%+v, want %q", got, tc.err)
				}
				wantDeliveries(t, "left", h.dead(), 1)
			}
			if tc.state == "" {
				return
			}
			if e := h.entry(idOf(1)); e.Progress() != tc.state || e.TicketID != tc.ticket {
				t.Errorf("entry %+v", e)
			}
		})
	}
	t.Run("moved by SQS while the ticket was created", func(t *testing.T) {
		h := newLetterHome(t, moved(t, 1))
		h.must(inDoubt(h, 1, false).Release(t.Context(), faultOf("create", 504, "lost"), false, 0))
		h.dlq("replay", id, "--as-created", "99").want(t, exitDone, replayed, "")
		if e := h.entry(idOf(1)); e.State != ledger.Created || e.TicketID != "99" {
			t.Errorf("entry %+v", e)
		}
	})
}
