// Package previous_test opens what an earlier version of FairBridge stored with the present
// one. README.md describes how testdata was made.
package previous_test

import (
	"cmp"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"fairbridge/pkg/deadletter"
	"fairbridge/pkg/ledger"
	"fairbridge/pkg/queue"
)

// killed is the time at which the home in testdata was read, a moment after its last write.
// The tests take it for the end of the earlier process.
var killed = time.Date(2026, 11, 28, 4, 56, 1, 0, time.UTC)

// left is a delivery in testdata's home, with its expected end.
type left struct {
	name string
	// was is its state in the ledger, "" without an entry. held means that a worker held
	// it.
	was  ledger.State
	held bool
	// letter is the reason of its dead letter, if any, and generation how often it had
	// died.
	letter     queue.Reason
	generation int
	// parked is the reason of the dead letter that the worker makes.
	parked queue.Reason
	// settle settles a request whose answer was lost, as a person does.
	settle func(*world, string) error
	// stays is the state in which it stays, if that is not completed.
	stays ledger.State
	// ticket is the id of the ticket that it already had, or "".
	ticket string
	// files is the number of files that its ticket still gets.
	files int
	// submitter is the ticket's submitter; "" is alice@example.com.
	submitter string
}

var deliveries = []left{
	// Completed or dropped.
	{name: "completed", was: ledger.Completed, ticket: "2"},
	{name: "completed, and sent again", was: ledger.Completed, ticket: "1"},
	{name: "dropped", was: ledger.Dead, stays: ledger.Dead},
	{name: "dropped, and sent again", was: ledger.Dead, stays: ledger.Dead},

	// In the work queue.
	{name: "waiting", files: 1},
	{name: "delayed", was: ledger.Claimed, files: 1},
	{name: "in flight", files: 1},
	{name: "claimed", was: ledger.Claimed, held: true, files: 1},
	{name: "created", was: ledger.Created, ticket: "7", files: 1},
	{name: "creating, made", was: ledger.Creating, held: true, ticket: "9", files: 1},
	{name: "creating, not made", was: ledger.Creating, held: true, parked: queue.ReasonAmbiguous, settle: notCreated, files: 1},
	{name: "creating, to be sent again", was: ledger.Creating, held: true, files: 1},
	{name: "creating, parked", was: ledger.Creating, held: true, ticket: "8", parked: queue.ReasonAmbiguous, settle: created("8"), files: 1},
	{name: "attaching", was: ledger.Created, held: true, ticket: "10", parked: queue.ReasonAmbiguous, settle: notCreated, files: 1},
	{name: "replay waiting", was: ledger.Dead, submitter: "nobody@example.com", files: 1},
	{name: "edit waiting", was: ledger.Dead, files: 1},

	// In the dead-letter queue.
	{name: "malformed", was: ledger.Dead, letter: queue.ReasonMalformed, generation: 1, stays: ledger.Dead},
	{name: "unroutable", was: ledger.Dead, letter: queue.ReasonUnroutable, generation: 1, files: 1},
	{name: "mapping", was: ledger.Dead, letter: queue.ReasonMapping, generation: 1, files: 1},
	{name: "rejected", was: ledger.Dead, letter: queue.ReasonRejected, generation: 1, submitter: "nobody@example.com", files: 1},
	{name: "not_found", was: ledger.Dead, letter: queue.ReasonNotFound, generation: 1, files: 1},
	{name: "ambiguous", was: ledger.Dead, letter: queue.ReasonAmbiguous, generation: 1, ticket: "3", settle: created("3"), files: 1},
	// Centercode had received the file: it is not sent again.
	{name: "ambiguous file", was: ledger.Dead, letter: queue.ReasonAmbiguous, generation: 1, ticket: "6", settle: created("6")},
	{name: "attachment_source", was: ledger.Dead, letter: queue.ReasonAttachmentSource, generation: 1, ticket: "4", files: 1},
	{name: "attachment_endpoint", was: ledger.Dead, letter: queue.ReasonAttachmentEndpoint, generation: 1, ticket: "5", files: 1},
	{name: "retries_exhausted", was: ledger.Claimed, letter: queue.ReasonWorkerDied, files: 1}, // the queue moved it
	{name: "replayed", was: ledger.Dead, letter: queue.ReasonRejected, generation: 2, submitter: "nobody@example.com", files: 1},
	{name: "edited", was: ledger.Dead, letter: queue.ReasonRejected, generation: 2, submitter: "somebody@example.com", files: 1},
}

func created(ticketID string) func(*world, string) error {
	return func(w *world, id string) error { return w.ledger.SettleCreated(w.Context(), id, ticketID) }
}

func notCreated(w *world, id string) error { return w.ledger.SettleNotCreated(w.Context(), id) }

// TestHome brings every delivery of the earlier version's home to its right end: after a
// restart, which continues immediately with what was held, and without knowledge that the
// process is dead, so that leases and visibility timeouts have to expire.
func TestHome(t *testing.T) {
	for name, restarted := range map[string]bool{"restarted": true, "left alone": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := open(t, restarted)
			w.checkEntries()
			w.checkLetters("opened", func(d left) queue.Reason { return d.letter })
			w.checkCorrection()

			w.work(original)
			w.checkLetters("worked", func(d left) queue.Reason { return cmp.Or(d.letter, d.parked) })

			// A retry does not settle a doubtful request, and a foreign message does not
			// become a ticket.
			w.replay()
			w.work(corrected)
			w.checkLetters("replayed", func(d left) queue.Reason {
				switch {
				case d.settle != nil:
					return queue.ReasonAmbiguous
				case d.name == "malformed":
					return queue.ReasonMalformed
				}
				return ""
			})

			for _, d := range deliveries {
				if d.settle != nil {
					w.must(d.settle(w, w.ids[d.name]))
				}
			}
			w.replay()
			w.work(corrected)
			w.checkLetters("settled", func(d left) queue.Reason {
				if d.name == "malformed" {
					return queue.ReasonMalformed
				}
				return ""
			})
			for _, d := range deliveries {
				w.checkEnd(d)
			}
			for _, name := range []string{"dropped", "dropped, and sent again"} {
				if e := w.entry(name); !e.Dropped() || !strings.HasPrefix(e.Last.Text, "a made-up reason") {
					t.Errorf("%s: it is no longer dropped: %+v", name, e)
				}
			}

			w.importLetters("testdata/dropped.jsonl")
			w.replay()
			w.work(corrected)
			w.checkEnd(left{name: "dropped", submitter: "nobody@example.com", files: 1})
			w.checkEnd(left{name: "dropped, and sent again", stays: ledger.Dead})
		})
	}
}

// checkEntries compares the ledger before any work with what was left.
func (w *world) checkEntries() {
	w.Helper()
	for _, d := range deliveries {
		e, err := w.ledger.Entry(w.Context(), w.ids[d.name])
		if errors.Is(err, ledger.ErrNotFound) {
			err = nil
		}
		w.must(err)
		if e.State != d.was || e.HeldAt(killed) != d.held {
			w.Errorf("%s: it is %q, held %t; want %q, %t", d.name, e.State, e.HeldAt(killed), d.was, d.held)
		}
	}
}

// checkLetters compares the dead letters with the reason that want returns for each
// delivery, "" for none.
func (w *world) checkLetters(when string, want func(left) queue.Reason) {
	w.Helper()
	letters := map[string]deadletter.Letter{}
	for _, l := range w.letters() {
		if _, twice := letters[l.DeliveryID]; twice {
			w.Errorf("%s: delivery %s has two dead letters", when, l.DeliveryID)
		}
		letters[l.DeliveryID] = l
	}
	for _, d := range deliveries {
		l, reason := letters[w.ids[d.name]], want(d)
		delete(letters, w.ids[d.name])
		if l.Reason != reason {
			w.Errorf("%s: %s: its dead letter has the reason %q, want %q", when, d.name, l.Reason, reason)
			continue
		}
		if when == "opened" && l.Generation != d.generation {
			w.Errorf("%s: the dead letter is of generation %d, want %d", d.name, l.Generation, d.generation)
		}
		if reason != "" && !l.Moved() && (l.Description == "" || l.FailedAt.IsZero()) {
			w.Errorf("%s: %s: the dead letter does not say what happened: %+v", when, d.name, l.DeadLetter)
		}
	}
	for id, l := range letters {
		w.Errorf("%s: a dead letter of delivery %s that nobody expects: %+v", when, id, l.DeadLetter)
	}
}

// checkCorrection looks for a person's change, which travels with the letter.
func (w *world) checkCorrection() {
	w.Helper()
	for _, l := range w.letters() {
		if l.DeliveryID != w.ids["edited"] {
			continue
		}
		e, err := queue.Decode(l.Body)
		w.must(err)
		if l.Replays != 1 || len(e.Edits) != 1 || e.Edits[0].Field != "email" ||
			string(e.Edits[0].Old) != `"nobody@example.com"` || string(e.Edits[0].New) != `"somebody@example.com"` {
			w.Errorf("the corrected letter was replayed %d times and has the corrections %+v", l.Replays, e.Edits)
		}
		return
	}
	w.Error("the corrected letter is not there")
}

// checkEnd checks a delivery's right end: one ticket with each file once.
func (w *world) checkEnd(d left) {
	w.Helper()
	e, tickets := w.entry(d.name), w.tickets(d.name)
	if d.stays != "" {
		if e.State != d.stays || len(tickets) > 0 {
			w.Errorf("%s: it is %s and has %d tickets, want %s and none", d.name, e.State, len(tickets), d.stays)
		}
		return
	}
	if e.State != ledger.Completed || len(tickets) != 1 {
		w.Errorf("%s: it is %s and has %d tickets, want completed and 1; the last fault: %+v", d.name, e.State, len(tickets), e.Last)
		return
	}
	ticket := tickets[0]
	if e.TicketID != ticket.ID || d.ticket != "" && ticket.ID != d.ticket {
		w.Errorf("%s: the ledger has ticket %s, Centercode %s; before it was %q", d.name, e.TicketID, ticket.ID, d.ticket)
	}
	if len(ticket.Files) != d.files || len(e.Attached) != 1 {
		w.Errorf("%s: the ticket got %d files, want %d; the ledger knows of %d", d.name, len(ticket.Files), d.files, len(e.Attached))
	}
	if want := cmp.Or(d.submitter, "alice@example.com"); ticket.Submitter != want {
		w.Errorf("%s: the ticket is from %s, want %s", d.name, ticket.Submitter, want)
	}
}

// importLetters imports exported letters, as newer than their deliveries' entries.
func (w *world) importLetters(path string) {
	w.Helper()
	f, err := os.Open(path)
	w.must(err)
	defer f.Close()
	letters, err := deadletter.ReadLetters(f)
	w.must(err)
	for i, l := range letters {
		e, err := w.ledger.Entry(w.Context(), l.DeliveryID)
		w.must(err)
		letters[i].Generation = max(l.Generation, e.Generation)
	}
	w.dead().Add(w.Context(), letters, func(l deadletter.Letter, err error) {
		if err != nil { // not must: this is another goroutine
			w.Errorf("import %s: %v", l.DeliveryID, err)
		}
	})
}
