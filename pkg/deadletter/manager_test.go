package deadletter_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"fairbridge/pkg/deadletter"
	"fairbridge/pkg/embedded"
	"fairbridge/pkg/home"
	"fairbridge/pkg/ledger"
	"fairbridge/pkg/ledger/ledgertest"
	"fairbridge/pkg/mapping"
	"fairbridge/pkg/preview"
	"fairbridge/pkg/queue"
)

// died is when the letters died: recently enough that the ledger cannot have forgotten
// them.
var died = time.Now().UTC().Truncate(time.Second).Add(-time.Hour)

// fixture is a manager of a folder with dead letters, in which no bridge runs.
type fixture struct {
	*testing.T
	*deadletter.Manager
	home     *home.Home
	embedded *embedded.Home
	ledger   *ledger.Ledger
}

func newFixture(t *testing.T, letters ...deadletter.Letter) *fixture {
	t.Helper()
	e, err := embedded.Open(t.Context(), embedded.Config{Folder: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	h := home.Folder(e)
	o := (&fixture{T: t, home: h, embedded: e}).reopen(deadletter.Config{})
	o.put(letters...)
	return o
}

// reopen opens another manager of the same home.
func (o *fixture) reopen(c deadletter.Config) *fixture {
	c.Home = o.home
	var err error
	if o.Manager, err = deadletter.New(c); err != nil {
		o.Fatal(err)
	}
	o.ledger = ledgertest.New(o, ledger.Config{Store: o.home.Ledger})
	return o
}

// put writes letters to the dead-letter queue without the ledger's knowledge.
func (o *fixture) put(letters ...deadletter.Letter) {
	o.Helper()
	q := &deadletter.Queue{API: o.home.SQS, URL: o.home.DeadLetterQueueURL, WorkURL: o.home.WorkQueueURL}
	q.Add(o.Context(), letters, func(_ deadletter.Letter, err error) { o.must(err) })
}

// die makes a delivery a dead letter as a worker does.
func (o *fixture) die(l deadletter.Letter) {
	o.Helper()
	c := o.claim(l.DeliveryID)
	var kept bytes.Buffer
	o.must(deadletter.WriteLetter(&kept, l))
	o.must(c.KeepLetter(o.Context(), kept.Bytes()))
	o.put(l)
	o.must(c.Died(o.Context(), ledger.Fault{Reason: string(l.Reason), Stage: string(l.Stage), Status: l.Status, Text: "no", At: l.FailedAt}, true))
}

// did returns the recorded actions on the n-th delivery.
func (o *fixture) did(n int) (all []string) {
	o.Helper()
	e, err := o.ledger.Entry(o.Context(), idOf(n))
	o.must(err)
	for _, a := range e.Actions {
		if all = append(all, a.What); a.Who != o.home.Operator(o.Context()) || a.At.IsZero() {
			o.Errorf("%d: %+v", n, a)
		}
	}
	return all
}

// unavailable is a ledger that does not respond.
type unavailable struct{ ledger.Store }

func (unavailable) Get(context.Context, string) (ledger.Record, error) {
	return ledger.Record{}, errors.New("no answer")
}

func (o *fixture) must(err error) {
	o.Helper()
	if err != nil {
		o.Fatal(err)
	}
}

// claim claims a delivery as a worker does.
func (o *fixture) claim(id string) *ledger.Claim {
	o.Helper()
	c, err := o.ledger.Claim(o.Context(), id, ledger.Message{})
	o.must(err)
	return c
}

// ids returns the deliveries that Glance finds.
func (o *fixture) ids() []string {
	o.Helper()
	var ids []string
	o.must(deadletter.Glance(o.Context(), o.home, func(l deadletter.Letter) bool {
		ids = append(ids, l.DeliveryID)
		return true
	}))
	slices.Sort(ids)
	return ids
}

func idOf(n int) string { return strings.Repeat(fmt.Sprintf("%02x", n), 32) }

// rejected returns the n-th delivery's letter.
func rejected(t *testing.T, n int) deadletter.Letter {
	t.Helper()
	e := queue.Envelope{DeliveryID: idOf(n), ReceivedAt: died, Event: json.RawMessage(fmt.Sprintf(`{"event":"feedback","text":"feedback %d","email":"a@example.com"}`, n))}
	body, err := e.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return deadletter.Letter{Body: body, SentAt: died, DeadLetter: queue.DeadLetter{
		DeliveryID: e.DeliveryID, Event: "feedback", Reason: queue.ReasonRejected, Stage: queue.StageCreate, Status: 400,
		Generation: 1, FailedAt: died.Add(time.Duration(n) * time.Second)}}
}

func checker(t *testing.T) *preview.Checker {
	t.Helper()
	m, err := mapping.Parse("x.yaml", []byte(`routes: [{match: {event: feedback}, project: P, source: s, fields: {submitter: "{{ .email }}", summary: {choice: "{{ .text }}", allowed: [feedback 1, feedback 2]}}}]`))
	if err != nil {
		t.Fatal(err)
	}
	c, err := preview.New(preview.Config{Mapping: m})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestGlanceAtAForeignMessage checks that every letter found has an id, whoever wrote the
// message, and stays in the queue.
func TestGlanceAtAForeignMessage(t *testing.T) {
	o := newFixture(t, rejected(t, 1))
	_, err := o.home.SQS.SendMessageBatch(t.Context(), &sqs.SendMessageBatchInput{QueueUrl: &o.home.DeadLetterQueueURL,
		Entries: []types.SendMessageBatchRequestEntry{{Id: aws.String("1"), MessageBody: aws.String("hello")}}})
	o.must(err)
	want := []string{idOf(1), queue.DeliveryID("hello")}
	slices.Sort(want)
	for range 2 {
		if got := o.ids(); !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestSelect(t *testing.T) {
	o := newFixture(t, rejected(t, 1), rejected(t, 2), rejected(t, 2))
	in, err := o.Select(t.Context(), deadletter.Query{Filter: deadletter.Filter{IDs: []string{idOf(2)[:8], "abcdef"}}, Payloads: true})
	o.must(err)
	if len(in.Cases) != 1 || in.Cases[0].Count() != 2 || in.Cases[0].Saying() != "feedback 2" || in.Cases[0].Body != "" || in.Deliveries != 2 || in.More {
		t.Errorf("got %+v", in)
	}
	if missing, err := in.Missing([]string{idOf(2)[:8], "abcdef"}); err != nil || !slices.Equal(missing, []string{"abcdef"}) {
		t.Errorf("missing are %q, %v", missing, err)
	}
	o.must(in.Hold.Release(t.Context()))
}

func TestReplay(t *testing.T) {
	often := rejected(t, 3)
	often.Generation = deadletter.MostReplays + 1
	o := newFixture(t, rejected(t, 1), rejected(t, 2), rejected(t, 2), often)
	var stays []string
	var asked int
	options := deadletter.ReplayOptions{
		Confirm: func(_ context.Context, cases []deadletter.Case, deliveries int) (bool, error) {
			asked++
			return asked > 1 && len(cases) == 2 && deliveries == 3, nil
		},
		Stays: func(c deadletter.Case, err error) {
			if errors.Is(err, deadletter.ErrTooOften) {
				stays = append(stays, c.DeliveryID)
			}
		},
	}
	declined, err := o.Replay(t.Context(), options)
	if err != nil || !declined.Declined || len(declined.Cases) != 0 || len(o.ids()) != 4 {
		t.Errorf("declined: %+v, %v, left %q", declined, err, o.ids())
	}
	done, err := o.Replay(t.Context(), options)
	if err != nil || done.Declined || len(done.Cases) != 2 || done.Copies != 1 || done.Failed != 0 || done.More || done.NotReleased != nil {
		t.Errorf("got %+v, %v", done, err)
	}
	if got := o.ids(); !slices.Equal(got, []string{idOf(3)}) || !slices.Equal(stays, []string{idOf(3), idOf(3)}) {
		t.Errorf("left %q, reported %q", got, stays)
	}
}

// TestReplayCorrects checks that a correction which the mapping rejects leaves the letter
// unchanged.
func TestReplayCorrects(t *testing.T) {
	o := newFixture(t, rejected(t, 1))
	var rejections []error
	options := deadletter.ReplayOptions{
		Sets: []deadletter.Assignment{{Field: "text", Value: "feedback 9"}}, Checker: checker(t),
		Edited: func(_ deadletter.Case, changes []queue.Edit, err error) error {
			if len(changes) != 1 {
				t.Errorf("changed %+v", changes)
			}
			rejections = append(rejections, err)
			return nil
		},
	}
	if got, err := o.Replay(t.Context(), options); err != nil || len(got.Cases) != 0 || len(o.ids()) != 1 {
		t.Errorf("got %+v, %v", got, err)
	}
	options.Sets[0].Value = "feedback 2"
	if got, err := o.Replay(t.Context(), options); err != nil || len(got.Cases) != 1 || len(o.ids()) != 0 {
		t.Errorf("got %+v, %v", got, err)
	}
	if len(rejections) != 2 || rejections[0] == nil || rejections[1] != nil {
		t.Errorf("got %v", rejections)
	}
}

// TestDryRunOfASettlement checks that a dry run predicts how a lost response will be
// settled, and records nothing.
func TestDryRunOfASettlement(t *testing.T) {
	o := newFixture(t, rejected(t, 1))
	c := o.claim(idOf(1))
	o.must(c.Creating(t.Context(), ledger.Where{}))
	o.must(c.Died(t.Context(), ledger.Fault{Reason: "ambiguous", Stage: "create", Text: "lost", At: died}, false))
	before, err := o.ledger.Entry(t.Context(), idOf(1))
	o.must(err)
	for _, tc := range []struct {
		settlement deadletter.Settlement
		problems   int
		url        bool
	}{{deadletter.Settlement{}, 1, true}, {deadletter.Settlement{CreateAgain: true}, 0, true}, {deadletter.Settlement{AsCreated: "5"}, 0, false}} {
		requests, err := o.DryRun(t.Context(), deadletter.ReplayOptions{Checker: checker(t), Settlement: tc.settlement})
		o.must(err)
		if len(requests) != 1 || len(requests[0].Problems) != tc.problems || (requests[0].URL != "") != tc.url {
			t.Errorf("%+v: %+v", tc.settlement, requests)
		}
	}
	if after, err := o.ledger.Entry(t.Context(), idOf(1)); err != nil || after.State != before.State || after.Resume != before.Resume || !after.UpdatedAt.Equal(before.UpdatedAt) {
		t.Errorf("the ledger has %+v, %v", after, err)
	}
	if len(o.ids()) != 1 {
		t.Error("the letter is gone")
	}
}

func TestSettlementOfWhatIsNotInDoubt(t *testing.T) {
	o := newFixture(t, rejected(t, 1), rejected(t, 2))
	o.must(o.claim(idOf(1)).Died(t.Context(), ledger.Fault{Reason: "rejected", Stage: "create", Text: "x", At: died}, true))
	for n, notMade := range map[int]bool{1: true, 2: false} {
		_, err := o.Replay(t.Context(), deadletter.ReplayOptions{
			Filter: deadletter.Filter{IDs: []string{idOf(n)}}, Settlement: deadletter.Settlement{AsCreated: "5"}})
		why, ok := errors.AsType[*deadletter.NotInDoubtError](err)
		if !ok || why.NotMade != notMade {
			t.Errorf("%d: %v", n, err)
		}
	}
	if len(o.ids()) != 2 {
		t.Errorf("left are %q", o.ids())
	}
}

func TestDrop(t *testing.T) {
	o := newFixture(t, rejected(t, 1), rejected(t, 2))
	o.claim(idOf(1)) // a worker holds it
	in, err := o.Select(t.Context(), deadletter.Query{})
	o.must(err)
	var stays []string
	dropped := o.Drop(t.Context(), in, "enough", func(c deadletter.Case, _ error) { stays = append(stays, c.DeliveryID) })
	o.must(in.Hold.Release(t.Context()))
	if dropped != 1 || !slices.Equal(stays, []string{idOf(1)}) || !slices.Equal(o.ids(), []string{idOf(1)}) {
		t.Errorf("%d dropped, %q stay, %q are left", dropped, stays, o.ids())
	}
	if e, err := o.ledger.Entry(t.Context(), idOf(2)); err != nil || !e.Dropped() || e.Last.Text != "enough" {
		t.Errorf("the ledger has %+v, %v", e, err)
	}
}

func TestShow(t *testing.T) {
	o := newFixture(t, rejected(t, 1))
	shown, err := o.Show(t.Context(), deadletter.Filter{IDs: []string{idOf(1)[:6]}}, checker(t))
	o.must(err)
	if shown.Letter.DeliveryID != idOf(1) || shown.Advice.What != deadletter.AdviceRejected.What || shown.Request == nil || shown.Request.URL == "" || shown.Ledger != nil {
		t.Errorf("got %+v", shown)
	}
	if _, err := o.Show(t.Context(), deadletter.Filter{IDs: []string{"abcdef"}}, nil); err == nil || err.Error() != "there is no dead letter abcdef" {
		t.Errorf("got %v", err)
	}
}

// TestFollow checks that the outcomes of replayed deliveries are reported in the order of
// the cases.
func TestFollow(t *testing.T) {
	o := newFixture(t, rejected(t, 1), rejected(t, 2))
	done, err := o.Replay(t.Context(), deadletter.ReplayOptions{})
	o.must(err)
	c, err := o.ledger.Claim(t.Context(), idOf(2), ledger.Message{Generation: 1, Marked: true})
	o.must(err)
	o.must(c.Created(t.Context(), "77", nil, nil))
	o.must(c.Completed(t.Context()))
	ctx, stop := context.WithCancel(t.Context())
	stop() // look once, then stop
	ends, err := o.Follow(ctx, done.Cases, time.Minute)
	if err != nil || len(ends) != 2 || ends[0].Ended {
		t.Errorf("got %+v, %v", ends, err)
	}
	ends, err = o.Follow(t.Context(), done.Cases[1:], time.Minute)
	if err != nil || len(ends) != 1 || !ends[0].Completed || ends[0].TicketID != "77" {
		t.Errorf("got %+v, %v", ends, err)
	}
}
