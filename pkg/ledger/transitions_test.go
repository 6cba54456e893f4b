package ledger_test

import (
	"reflect"
	"testing"
	"time"

	"fairbridge/pkg/ledger"
)

// TestSettledIsWhatIsStored checks that the store writes what the Settled methods return,
// which a dry run prints.
func TestSettledIsWhatIsStored(t *testing.T) {
	for name, prepare := range map[string]func(*bench, *ledger.Claim){
		"the ticket in doubt": func(b *bench, c *ledger.Claim) { b.must(c.Creating(b.t.Context(), ledger.Where{})) },
		"a file in doubt": func(b *bench, c *ledger.Claim) {
			b.must(c.Created(b.t.Context(), "5", nil, nil))
			b.must(c.Attaching(b.t.Context(), "log"))
		},
		"a file in doubt, and the ticket's id unknown": func(b *bench, c *ledger.Claim) {
			b.must(c.Created(b.t.Context(), "", nil, nil))
			b.must(c.Attaching(b.t.Context(), "log"))
		},
		"the ticket's id unknown": func(b *bench, c *ledger.Claim) { b.must(c.Created(b.t.Context(), "", nil, nil)) },
	} {
		for _, dead := range []bool{true, false} {
			t.Run(name, func(t *testing.T) {
				b := newBench(t)
				c := b.claim(0)
				prepare(b, c)
				if dead {
					b.must(c.Died(t.Context(), ledger.Fault{Reason: "ambiguous"}, false))
				} else {
					b.must(c.Release(t.Context(), ledger.Fault{Text: "moved by the queue"}, false, 0))
				}
				want, settled := b.entry().SettledCreated("99", b.now)
				b.must(b.SettleCreated(t.Context(), "d1", "99"))
				got := b.entry()
				want.Actions, want.UpdatedAt = got.Actions, got.UpdatedAt
				if !settled || !reflect.DeepEqual(got, want) {
					t.Errorf("stored   %+v\nreturned %+v", got, want)
				}
				if got.InDoubt() || got.Progress() != ledger.Created || got.TicketID == "" || len(got.Actions) != 1 {
					t.Errorf("settled as %+v", got)
				}
			})
		}
	}
}

// TestOldCopies checks in every state which messages are old copies.
func TestOldCopies(t *testing.T) {
	at := func(s int) time.Time { return began.Add(time.Duration(s) * time.Second) }
	unmarked := func(s int) ledger.Message { return ledger.Message{SentAt: at(s)} }
	marked := func(n, s int) ledger.Message { return ledger.Message{Generation: n, Marked: true, SentAt: at(s)} }
	fault := &ledger.Fault{Reason: "rejected", At: at(10)}
	dropped := &ledger.Fault{Reason: ledger.ReasonDropped, At: at(10)}
	states := []ledger.State{ledger.Claimed, ledger.Creating, ledger.Created, ledger.Dead}
	for _, tc := range []struct {
		name   string
		entry  ledger.Entry
		states []ledger.State
		m      ledger.Message
		want   bool
	}{
		{"never died", ledger.Entry{Form: 1}, states[:3], unmarked(1), false},
		{"the message that died", ledger.Entry{Form: 1, Generation: 1, Spent: at(5), Last: fault}, states, unmarked(5), true},
		{"an older one", ledger.Entry{Form: 1, Generation: 1, Spent: at(5), Last: fault}, states, unmarked(4), true},
		{"the same webhook again, before the death", ledger.Entry{Form: 1, Generation: 1, Spent: at(5), Last: fault}, states, unmarked(6), false},
		{"sent back by hand", ledger.Entry{Form: 1, Generation: 1, Spent: at(5), Last: fault}, states, unmarked(20), false},
		{"our replay", ledger.Entry{Form: 1, Generation: 1, Spent: at(5), Last: fault}, states, marked(1, 20), false},
		{"our replay, by a clock that went back", ledger.Entry{Form: 1, Generation: 1, Spent: at(5), Last: fault}, states, marked(1, 1), false},
		{"a replay of the letter before", ledger.Entry{Form: 1, Generation: 2, Spent: at(5), Last: fault}, states, marked(1, 20), true},
		{"generation 0 is an attribute", ledger.Entry{Form: 1, Generation: 1, Spent: at(5), Last: fault}, states, marked(0, 20), true},
		{"imported: nothing is spent", ledger.Entry{Form: 1, Generation: 3, Last: fault}, states, unmarked(1), false},
		{"no sent time: in doubt a replay", ledger.Entry{Form: 1, Generation: 1, Spent: at(5), Last: fault}, states, ledger.Message{}, false},
		{"previous version, dead: the fault's time stands in", ledger.Entry{Generation: 1, Last: fault}, states[3:], unmarked(10), true},
		{"previous version, dead, sent back by hand", ledger.Entry{Generation: 1, Last: fault}, states[3:], unmarked(11), false},
		{"previous version, living: by generation alone", ledger.Entry{Generation: 1, Last: fault}, states[:3], unmarked(20), true},
		{"previous version, living, never dead", ledger.Entry{Last: fault}, states[:3], unmarked(1), false},
		{"dropped, sent back by hand", ledger.Entry{Form: 1, Generation: 2, Spent: at(5), Last: dropped}, states[3:], unmarked(20), true},
		{"dropped, an old letter replayed", ledger.Entry{Form: 1, Generation: 2, Spent: at(5), Last: dropped}, states[3:], marked(1, 20), true},
		{"dropped, imported and replayed", ledger.Entry{Form: 1, Generation: 2, Spent: at(5), Last: dropped}, states[3:], marked(2, 20), false},
	} {
		for _, state := range tc.states {
			tc.entry.State = state
			if state == ledger.Dead {
				tc.entry.Resume = ledger.Claimed
			}
			if got := tc.entry.Old(tc.m); got != tc.want {
				t.Errorf("%s, %s: old is %t, want %t", tc.name, state, got, tc.want)
			}
		}
	}
}

// FuzzTransitions checks that whatever happens to an entry, it can still be stored, and
// records how it got there.
func FuzzTransitions(f *testing.F) {
	f.Add([]byte("tcadtrtcade"))
	f.Add([]byte("t0t1t2t3d4t5t6t7t8t9txtxtxtxtxtxtxtxtxtxtx"))
	f.Fuzz(func(t *testing.T, steps []byte) {
		now := began
		m := message(0)
		e := ledger.First("d1", m, now)
		deaths := 0
		for _, step := range steps {
			now = now.Add(time.Duration(step) * time.Second)
			before := e
			if kind := step % 12; kind >= 3 && kind <= 9 && e.Owner == "" {
				continue // only the holder can do these
			}
			switch step % 12 {
			case 0, 1, 2:
				next, err := e.Take(m, "w", step > 128, now)
				if err != nil && e.State != ledger.Completed && !e.Old(m) {
					t.Fatalf("not claimed: %+v: %v", e, err)
				}
				if err == nil {
					e = next
				}
			case 3:
				e = e.AsCreating(ledger.Where{Project: "P"}, now)
			case 4:
				e = e.AsCreated("1", nil, nil)
			case 5:
				e = e.AsAttaching("log")
			case 6:
				e = e.AsAttached("log", ledger.Attachment{At: now})
			case 7:
				e = e.AsNotSent()
			case 8:
				e = e.AsDead(ledger.Fault{Reason: "rejected", At: now}, m, ledger.Attempt{At: now})
				deaths++
				if !e.Old(m) {
					t.Fatalf("the message that died is not an old copy of %+v", e)
				}
				m = ledger.Message{SentAt: now.Add(time.Millisecond)}
				if e.Old(m) {
					t.Fatalf("redriven by hand it is an old copy of %+v", e)
				}
			case 9:
				e = e.AsReleased(ledger.Fault{Text: "busy", At: now}, time.Duration(step)*time.Second, ledger.Attempt{At: now})
			case 10:
				e, _ = e.SettledCreated("2", now)
			case 11:
				e, _ = e.SettledNotCreated()
			}
			if e.Generation < before.Generation || e.Attempts < before.Attempts || e.Spent.Before(before.Spent) {
				t.Fatalf("went backwards: %+v\nafter %+v", e, before)
			}
			if len(e.Tried) > 18 || (e.State == ledger.Dead) != (e.Resume != "") || e.Resume == ledger.Dead {
				t.Fatalf("step %d made %+v\nof %+v", step%12, e, before)
			}
			if e.Generation != deaths {
				t.Fatalf("%d deaths, generation %d", deaths, e.Generation)
			}
		}
	})
}

// TestAnnouncedAheadOfTheClock checks that a request announced before the clock was set
// back counts from the next attempt, and that one announced earlier keeps its time.
func TestAnnouncedAheadOfTheClock(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, tc := range []struct{ announced, want time.Time }{
		{now.Add(400 * 24 * time.Hour), now}, {now.Add(-time.Minute), now.Add(-time.Minute)}, {time.Time{}, time.Time{}},
	} {
		e, err := ledger.Entry{DeliveryID: "a", State: ledger.Creating, CreatingSince: tc.announced}.Take(ledger.Message{}, "b", false, now)
		if err != nil || !e.CreatingSince.Equal(tc.want) {
			t.Errorf("announced at %s: got %s, %v, want %s", tc.announced, e.CreatingSince, err, tc.want)
		}
	}
}

// TestADelayThatIsCutShort checks that it counts only as far as it has elapsed.
func TestADelayThatIsCutShort(t *testing.T) {
	const planned = 10 * time.Minute
	for _, tc := range []struct {
		name         string
		passed, want time.Duration
		silent       bool
	}{
		{"passed", planned, planned, false},
		{"held afterwards", time.Hour, planned, false},
		{"woken", time.Minute, time.Minute, false},
		{"a clock that was set back", -time.Hour, 0, false},
		{"taken before, by a worker that died", time.Minute, time.Minute, true},
	} {
		now := began
		take := func(e ledger.Entry) ledger.Entry {
			t.Helper()
			next, err := e.Take(ledger.Message{}, "w", false, now)
			if err != nil {
				t.Fatal(err)
			}
			return next
		}
		e := take(ledger.First("d1", ledger.Message{}, now))
		now = now.Add(10 * time.Second)
		e = e.AsReleased(ledger.Fault{Stage: "create"}, planned, ledger.Attempt{At: began, Took: 10_000})
		if e.Waited != planned {
			t.Fatalf("waits %s", e.Waited)
		}
		now = now.Add(tc.passed)
		e = take(e)
		if tc.silent {
			e = take(e)
		}
		if e.Waited != tc.want {
			t.Errorf("%s: counts %s of %s", tc.name, e.Waited, planned)
		}
	}
}
