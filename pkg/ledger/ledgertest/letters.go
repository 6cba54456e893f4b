package ledgertest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"fairbridge/pkg/ledger"
)

// lettersEnd completes deliveries with a letter in every way, including when the process
// dies before it removes the letter.
func lettersEnd(t *testing.T, s ledger.Store) {
	l := New(t, ledger.Config{Store: s})
	died := func(id string) ledger.Entry {
		c, err := l.Claim(t.Context(), id, ledger.Message{})
		if err == nil {
			err = errors.Join(c.KeepLetter(t.Context(), []byte("a letter")), c.Died(t.Context(), ledger.Fault{Reason: "rejected"}, false))
		}
		if err != nil {
			t.Fatal(err)
		}
		return c.Entry()
	}
	replay := ledger.Message{Generation: 1, Marked: true}
	replayed := func(l *ledger.Ledger, id string, complete func(*ledger.Claim) error) {
		c, err := l.Claim(t.Context(), id, replay)
		if err == nil {
			err = complete(c)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, end := range map[string]func(id string, e ledger.Entry){
		"with files": func(id string, _ ledger.Entry) {
			replayed(l, id, func(c *ledger.Claim) error { return c.Completed(t.Context()) })
		},
		"without files": func(id string, _ ledger.Entry) {
			replayed(l, id, func(c *ledger.Claim) error { return c.CreatedAndCompleted(t.Context(), "7") })
		},
		"killed before the letter is removed": func(id string, _ ledger.Entry) {
			replayed(New(t, ledger.Config{Store: killedBeforeDelete{s}}), id, func(c *ledger.Claim) error { return c.Completed(t.Context()) })
			if _, err := s.Get(t.Context(), partOf(id, 1)); err != nil {
				t.Errorf("the letter was removed: %v", err)
			}
			var done *ledger.DoneError
			if _, err := l.Look(t.Context(), id, replay); !errors.As(err, &done) { // its message is redelivered
				t.Errorf("Look: %v", err)
			}
		},
		"completed in another home": func(id string, e ledger.Entry) {
			e.State, e.TicketID = ledger.Completed, "7"
			if _, needed, err := l.Import(t.Context(), id, &e, 1, ledger.Fault{Reason: "rejected"}, []byte("theirs")); err != nil || needed {
				t.Errorf("Import: needed %t, %v", needed, err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			id := newID()
			e := died(id)
			end(id, e)
			if e, err := l.Entry(t.Context(), id); err != nil || e.State != ledger.Completed {
				t.Errorf("it is %s, %v", e.State, err)
			}
			wantNoParts(t, s, id, e.Letter)
		})
	}
	t.Run("killed before it died", func(t *testing.T) {
		id := newID()
		c, err := l.Claim(t.Context(), id, ledger.Message{})
		if err == nil {
			err = c.KeepLetter(t.Context(), []byte("a letter"))
		}
		later := New(t, ledger.Config{Store: s, Now: func() time.Time { return time.Now().Add(time.Hour) }})
		if err == nil {
			c, err = later.Claim(t.Context(), id, ledger.Message{})
		}
		if err == nil {
			err = c.Completed(t.Context())
		}
		if err != nil {
			t.Fatal(err)
		}
		wantNoParts(t, s, id, 1)
	})
	dropKilled(t, s, died)
}

// dropKilled drops a delivery in a process that dies after each of its writes. A dropped
// delivery expires together with its letter, any other keeps it, and dropping again
// finishes the work.
func dropKilled(t *testing.T, s ledger.Store, died func(id string) ledger.Entry) {
	t.Run("dropped, killed after each write", func(t *testing.T) {
		whole := New(t, ledger.Config{Store: s})
		for writes := 0; ; writes++ {
			id := newID()
			died(id)
			dying := New(t, ledger.Config{Store: &killedAfter{Store: s, left: writes}})
			killed := dying.Drop(t.Context(), id, 1, "enough")
			for _, last := range []bool{killed == nil, true} {
				e, err := whole.Entry(t.Context(), id)
				if err != nil || e.Dropped() != last {
					t.Fatalf("after %d writes it is %+v, %v", writes, e, err)
				}
				if letter, err := whole.Letter(t.Context(), e); err != nil || string(letter) != "a letter" {
					t.Errorf("after %d writes its letter is %q, %v", writes, letter, err)
				}
				part, err := s.Get(t.Context(), partOf(id, 1))
				if err != nil || e.Dropped() && part.ExpiresAt.After(e.UpdatedAt.Add(ledger.RetainDone+time.Second)) {
					t.Errorf("after %d writes its letter expires at %s, %v", writes, part.ExpiresAt, err)
				}
				if err := whole.Drop(t.Context(), id, 1, "enough"); err != nil {
					t.Error(err)
				}
			}
			if killed == nil {
				return
			}
		}
	})
}

// killedAfter is a store whose process dies after a number of writes.
type killedAfter struct {
	ledger.Store
	left int
}

func (m *killedAfter) write(do func() error) error {
	if m.left == 0 {
		return errors.New("killed")
	}
	m.left--
	return do()
}

func (m *killedAfter) Put(ctx context.Context, r ledger.Record) error {
	return m.write(func() error { return m.Store.Put(ctx, r) })
}

func (m *killedAfter) Set(ctx context.Context, r ledger.Record) error {
	return m.write(func() error { return m.Store.Set(ctx, r) })
}

// killedBeforeDelete is a store whose process dies before it removes anything.
type killedBeforeDelete struct{ ledger.Store }

func (killedBeforeDelete) Delete(context.Context, string) error { return errors.New("killed") }

func partOf(id string, n int) string { return fmt.Sprintf("#letter/%s/%d", id, n) }

func wantNoParts(t *testing.T, s ledger.Store, id string, parts int) {
	t.Helper()
	for n := 1; n <= parts; n++ {
		if _, err := s.Get(t.Context(), partOf(id, n)); !errors.Is(err, ledger.ErrNotFound) {
			t.Errorf("part %d of a completed delivery's letter: %v", n, err)
		}
	}
}
