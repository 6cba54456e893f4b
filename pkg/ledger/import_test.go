package ledger_test

import (
	"errors"
	"testing"

	"fairbridge/pkg/ledger"
)

// TestImported tries every pair of entries, since two homes may have got to different
// stages of the same delivery.
func TestImported(t *testing.T) {
	fault := ledger.Fault{Reason: "rejected", Stage: "create", Text: "imported"}
	at := func(state, resume ledger.State, ticket string) ledger.Entry {
		e := ledger.First("d1", ledger.Message{}, began)
		e.State, e.Resume, e.TicketID, e.Spent = state, resume, ticket, began
		if state == ledger.Dead {
			e.Generation, e.Last = 1, &ledger.Fault{Reason: "mapping"}
		}
		return e
	}
	// In order of precedence.
	stages := [][]ledger.Entry{
		{at(ledger.Claimed, "", ""), at(ledger.Dead, ledger.Claimed, "")},
		{at(ledger.Creating, "", ""), at(ledger.Dead, ledger.Creating, "")},
		{at(ledger.Created, "", "7"), at(ledger.Dead, ledger.Created, "7")},
		{at(ledger.Completed, "", "8")},
	}
	for i, ours := range stages {
		for j, theirs := range stages {
			for _, here := range ours {
				for _, there := range theirs {
					for _, generation := range []int{0, 1, 5} {
						got, needed := here.Imported(there, generation, fault, began)
						want := stages[max(i, j)][0]
						if got.Progress() != want.Progress() || got.TicketID != want.TicketID || needed != (want.State != ledger.Completed) {
							t.Errorf("here %s, there %s: %+v, needed %t", here.State, there.State, got, needed)
						}
						if !needed {
							continue
						}
						letter := ledger.Message{Generation: got.Generation, Marked: true}
						if got.State != ledger.Dead || got.Dropped() || got.Old(letter) || got.Old(ledger.Message{SentAt: began}) ||
							got.Generation < max(here.Generation, there.Generation, generation) {
							t.Errorf("here %s, there %s: its letter cannot be replayed: %+v", here.State, there.State, got)
						}
					}
				}
			}
		}
	}
	// At the same stage the later generation wins; of equal generations, this home's entry.
	here, there := at(ledger.Dead, ledger.Created, "here"), at(ledger.Dead, ledger.Created, "there")
	if got, _ := here.Imported(there, 1, fault, began); got.TicketID != "here" {
		t.Errorf("equal generations: %+v", got)
	}
	there.Generation = 2
	if got, _ := here.Imported(there, 2, fault, began); got.TicketID != "there" {
		t.Errorf("later generation there: %+v", got)
	}
}

func TestImport(t *testing.T) {
	fault := ledger.Fault{Reason: "rejected", Stage: "create", Text: "no"}
	t.Run("into a new home", func(t *testing.T) {
		old, b := newBench(t), newBench(t)
		c := old.claim(0)
		old.must(c.Creating(t.Context(), ledger.Where{Project: "P"}))
		old.must(c.Created(t.Context(), "5", nil, nil))
		old.must(c.Died(t.Context(), fault, false))
		there := old.entry()
		e, needed, err := b.Import(t.Context(), "d1", &there, 1, fault, []byte("letter"))
		b.must(err)
		if letter, err := b.Letter(t.Context(), b.entry()); !needed || err != nil || string(letter) != "letter" {
			t.Errorf("needed %t, letter %q, %v", needed, letter, err)
		}
		if e := b.claim(e.Generation).Entry(); e.State != ledger.Created || e.TicketID != "5" {
			t.Errorf("continues as %+v", e)
		}
	})
	t.Run("without an entry", func(t *testing.T) {
		b := newBench(t)
		if e, needed, err := b.Import(t.Context(), "d1", nil, 2, fault, []byte("letter")); err != nil || !needed || e.Generation != 2 || len(b.store.records) != 0 {
			t.Errorf("%+v, needed %t, %v; stored %d", e, needed, err, len(b.store.records))
		}
	})
	t.Run("of a dropped one", func(t *testing.T) {
		b := newBench(t)
		b.must(b.claim(0).Died(t.Context(), fault, false))
		b.must(b.Drop(t.Context(), "d1", 1, "a joke"))
		e, needed, err := b.Import(t.Context(), "d1", nil, 1, fault, []byte("letter"))
		b.must(err)
		if !needed || b.entry().Dropped() {
			t.Errorf("needed %t, %+v", needed, e)
		}
		b.claim(e.Generation)
	})
	t.Run("completed here", func(t *testing.T) {
		b := newBench(t)
		b.must(b.claim(0).Completed(t.Context()))
		if _, needed, err := b.Import(t.Context(), "d1", nil, 1, fault, []byte("letter")); err != nil || needed || b.entry().State != ledger.Completed {
			t.Errorf("needed %t, %v: %+v", needed, err, b.entry())
		}
	})
	t.Run("while it is held", func(t *testing.T) {
		b := newBench(t)
		b.claim(0)
		var held *ledger.HeldError
		if _, _, err := b.Import(t.Context(), "d1", nil, 1, fault, []byte("letter")); !errors.As(err, &held) {
			t.Errorf("%v", err)
		}
	})
}
