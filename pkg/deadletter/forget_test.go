package deadletter_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"fairbridge/pkg/deadletter"
	"fairbridge/pkg/home"
	"fairbridge/pkg/ledger"
)

const ann = "a@example.com" // the tester of every rejected letter

// about claims a delivery of this tester.
func (o *fixture) about(n int, email string) *ledger.Claim {
	o.Helper()
	d, err := o.ledger.Look(o.Context(), idOf(n), ledger.Message{})
	o.must(err)
	c, err := d.Claim(o.Context(), ledger.About{ReceivedAt: died, Kind: "feedback", App: "Notes", Session: "/s/" + email, Email: email, Text: "I am " + email}, false)
	o.must(err)
	return c
}

// keep makes a delivery die with its letter in the ledger and, unless it is lost, in the
// queue.
func (o *fixture) keep(c *ledger.Claim, l deadletter.Letter, lost bool) {
	o.Helper()
	var kept bytes.Buffer
	o.must(deadletter.WriteLetter(&kept, l))
	o.must(c.KeepLetter(o.Context(), kept.Bytes()))
	if !lost {
		o.put(l)
	}
	o.must(c.Died(o.Context(), ledger.Fault{Reason: string(l.Reason), Stage: "create", Text: "no user " + ann, At: l.FailedAt}, true))
}

// fill creates the deliveries. 1 to 7 are ann's, of which 7 is still in progress; 8 is
// bob's letter, 9 a ticket of his.
func (o *fixture) fill() {
	o.Helper()
	where := ledger.Where{Project: "P"}
	c := o.about(1, "Ann <A@Example.com>")
	o.must(c.Creating(o.Context(), where))
	o.must(c.Created(o.Context(), "T-1", nil, nil))
	o.must(c.Attached(o.Context(), "log", ledger.Attachment{Name: ann + ".log", Bytes: 1}))
	o.must(c.Completed(o.Context()))
	o.keep(o.about(2, ann), rejected(o.T, 2), false)
	o.keep(o.about(3, ann), rejected(o.T, 3), true)
	o.must(o.ledger.Drop(o.Context(), idOf(3), 1, "she is "+ann))
	o.keep(o.about(4, ""), rejected(o.T, 4), false) // ledger.remember: ids
	o.keep(o.about(5, ""), rejected(o.T, 5), true)
	o.must(o.ledger.Drop(o.Context(), idOf(5), 1, "a test"))
	o.must(o.about(6, ann).Died(o.Context(), ledger.Fault{Reason: "rejected", Text: "no"}, true)) // its message is in no queue and no ledger
	o.about(7, ann)
	bobs := rejected(o.T, 8)
	bobs.Body = strings.Replace(strings.ReplaceAll(bobs.Body, ann, "bob@example.com"), "feedback 8", "ask "+ann, 1)
	o.keep(o.about(8, "bob@example.com"), bobs, false)
	o.must(o.about(9, "bob@example.com").Completed(o.Context()))
	// What a killed reconcile was about to send: 10 is ann's, 11 is bob's. 1 had been sent
	// already.
	o.announce(ann, 10, 11)
	o.announce("sent", 1)
}

// announce records what reconcile will send for a likeness; all of it is ann's except 11.
func (o *fixture) announce(likeness string, ns ...int) {
	o.Helper()
	r := ledger.Reconciled{At: died, Deliveries: map[string]string{}, Payloads: map[string]json.RawMessage{}}
	for _, n := range ns {
		email := "Ann <" + ann + ">"
		if n == 11 {
			email = "bob@example.com"
		}
		r.Deliveries[fmt.Sprint(n)] = idOf(n)
		r.Payloads[fmt.Sprint(n)] = fmt.Appendf(nil, `{"event":"feedback","email":%q}`, email)
	}
	o.must(o.ledger.Reconcile(o.Context(), likeness, r))
}

// traces returns the deliveries that still contain ann's data.
func (o *fixture) traces() (all []string) {
	o.Helper()
	o.must(o.home.History.Search(o.Context(), ledger.Query{}, func(e ledger.Entry) bool {
		if text := fmt.Sprintf("%+v %+v %+v", e.About, e.Last, e.Attached); strings.Contains(strings.ToLower(text), ann) {
			all = append(all, e.DeliveryID[:2])
		}
		return true
	}))
	for _, likeness := range []string{ann, "sent"} {
		r, err := o.ledger.Reconciled(o.Context(), likeness)
		o.must(err)
		for id, payload := range r.Payloads {
			all = append(all, fmt.Sprintf("unsent %s %t", id, strings.Contains(string(payload), ann)))
		}
	}
	for n := 1; n <= 9; n++ {
		if _, err := o.home.Ledger.Get(o.Context(), "#letter/"+idOf(n)+"/1"); err == nil {
			all = append(all, fmt.Sprintf("letter %02x", n))
		} else if !errors.Is(err, ledger.ErrNotFound) {
			o.Error(err)
		}
	}
	var letters []deadletter.Letter
	q := &deadletter.Queue{API: o.home.SQS, URL: o.home.DeadLetterQueueURL}
	hold, err := q.Take(o.Context(), func(l deadletter.Letter) { letters = append(letters, l) })
	o.must(err)
	o.must(hold.Release(o.Context()))
	for _, l := range letters {
		all = append(all, "queued "+l.DeliveryID[:2])
	}
	slices.Sort(all)
	return all
}

func idsOf(all []deadletter.PersonsDelivery) (ids string) {
	for _, d := range all {
		ids += d.DeliveryID[:2] + " " + d.State + " " + d.TicketID + ","
	}
	return ids
}

func TestForget(t *testing.T) {
	inBothHomes(t, func(t *testing.T, o *fixture) {
		o.fill()
		all := o.traces()
		p, err := o.Person(t.Context(), strings.ToUpper(ann), nil)
		o.must(err)
		if ended, dead, left := idsOf(p.Ended), idsOf(p.Dead), idsOf(p.Left); ended != "01 completed T-1,03 dropped ,05 dropped ,0a not sent ," ||
			dead != "02 dead ,04 dead ,06 dead ," || left != "07 claimed ," {
			t.Errorf("found %q, %q, %q", ended, dead, left)
		}
		if got := o.traces(); !slices.Equal(got, all) {
			t.Errorf("looking changed %v to %v", all, got)
		}
		stays := func(id string, err error) { t.Errorf("%s stays: %v", id, err) }
		before, after, err := o.Forget(t.Context(), ann, nil, stays)
		o.must(err)
		if len(before.Ended) != 4 || len(before.Dead) != 3 || len(after.Ended)+len(after.Dead) > 0 || idsOf(after.Left) != "07 claimed ," {
			t.Errorf("forgot %+v, left %+v", before, after)
		}
		o.forgotten()
		// A delivery in progress is left alone; it can be forgotten once it has ended.
		e, err := o.ledger.Entry(t.Context(), idOf(7))
		o.must(err)
		if e.Forgotten || e.About.Email != ann {
			t.Errorf("7 was touched: %+v", e)
		}
	})
	o := newFixture(t)
	for _, wrong := range []string{"", "ann", "Ann <a@example.com>"} {
		if _, err := o.Person(t.Context(), wrong, nil); !errors.Is(err, deadletter.ErrNoAddress) {
			t.Errorf("%q: %v", wrong, err)
		}
	}
}

// forgotten checks what is left once ann is forgotten: her delivery in progress, everything
// of bob's, and the fact that hers are done.
func (o *fixture) forgotten() {
	o.Helper()
	if got, want := strings.Join(o.traces(), ", "), "07, 08, letter 08, queued 08, unsent 11 false"; got != want {
		o.Errorf("traces are %s, want %s", got, want)
	}
	for n := 1; n <= 6; n++ {
		e, err := o.ledger.Entry(o.Context(), idOf(n))
		o.must(err)
		want := "dropped"
		if n == 1 {
			want = "completed"
		}
		if e.Standing() != want || !e.Forgotten || e.Letter != 0 || e.About.App != "Notes" || e.About.Session != "" {
			o.Errorf("%d is %+v", n, e)
		}
		if _, err := o.ledger.Claim(o.Context(), idOf(n), ledger.Message{Generation: 1, Marked: true}); err == nil {
			o.Errorf("a copy of %d is treated as new", n)
		}
	}
	for id, likeness := range map[string]string{"10": ann, "1": "sent"} {
		if r, err := o.ledger.Reconciled(o.Context(), likeness); err != nil || !r.Withdrawn(id) || r.Withdrawn("11") {
			o.Errorf("for %s reconcile would send %+v, %v", id, r, err)
		}
	}
	if e, err := o.ledger.Entry(o.Context(), idOf(1)); err != nil || e.TicketID != "T-1" {
		o.Errorf("%+v, %v", e, err)
	}
}

// killedAfter is a process that dies before one of its writes.
type killedAfter struct {
	ledger.Store
	home.Queues
	mu     sync.Mutex
	writes int // how many succeed
}

var errKilled = errors.New("killed")

func (m *killedAfter) write() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.writes--; m.writes < 0 {
		return errKilled
	}
	return nil
}

func (m *killedAfter) Put(ctx context.Context, r ledger.Record) error {
	if err := m.write(); err != nil {
		return err
	}
	return m.Store.Put(ctx, r)
}

func (m *killedAfter) Set(ctx context.Context, r ledger.Record) error {
	if err := m.write(); err != nil {
		return err
	}
	return m.Store.Set(ctx, r)
}

func (m *killedAfter) Delete(ctx context.Context, id string) error {
	if err := m.write(); err != nil {
		return err
	}
	return m.Store.Delete(ctx, id)
}

func (m *killedAfter) DeleteMessageBatch(ctx context.Context, in *sqs.DeleteMessageBatchInput, o ...func(*sqs.Options)) (*sqs.DeleteMessageBatchOutput, error) {
	if err := m.write(); err != nil {
		return nil, err
	}
	return m.Queues.DeleteMessageBatch(ctx, in, o...)
}

// TestForgetIsKilled checks that forget can be run again after being killed before any of
// its writes.
func TestForgetIsKilled(t *testing.T) {
	inBothHomes(t, func(t *testing.T, o *fixture) {
		whole, died := *o.home, true
		for writes := 0; died; writes++ {
			o.fill()
			m := &killedAfter{Store: whole.Ledger, Queues: whole.SQS, writes: writes}
			h := whole
			h.Ledger, h.SQS = m, m
			manager, err := deadletter.New(deadletter.Config{Home: &h})
			o.must(err)
			died = false
			_, _, err = manager.Forget(t.Context(), ann, nil, func(string, error) { died = true })
			died = died || err != nil
			_, err = o.embedded.SQS.ReleaseInFlight(t.Context(), whole.DeadLetterQueueURL) // as the visibility timeout does
			o.must(err)
			_, after, err := o.Forget(t.Context(), ann, nil, func(id string, err error) { t.Errorf("%s stays: %v", id, err) })
			o.must(err)
			if len(after.Ended)+len(after.Dead) > 0 {
				t.Errorf("left %+v", after)
			}
			o.forgotten()
			if t.Failed() {
				t.Fatalf("killed before write %d", writes+1)
			}
			if writes > 100 {
				t.Fatal("forget is never completed")
			}
			o.empty()
		}
	})
}

// empty removes everything that fill created.
func (o *fixture) empty() {
	o.Helper()
	o.lose()
	o.must(o.home.Ledger.Delete(o.Context(), "#reconciled/"+ann))
	o.must(o.home.Ledger.Delete(o.Context(), "#reconciled/sent"))
	for n := 1; n <= 9; n++ {
		o.must(o.home.Ledger.Delete(o.Context(), idOf(n)))
		o.must(o.home.Ledger.Delete(o.Context(), "#letter/"+idOf(n)+"/1"))
	}
}
