package deadletter

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"fairbridge/pkg/internal/address"
	"fairbridge/pkg/ledger"
	"fairbridge/pkg/queue"
	"fairbridge/pkg/testfairy"
)

// ErrNoAddress means that a person was not given by an email address.
var ErrNoAddress = errors.New("that is not one email address")

// NotSent is the state of what reconcile was about to send.
const NotSent = "not sent"

// becauseForgotten is the reason for dropping a person's dead letters.
const becauseForgotten = "the person is to be forgotten"

// Person is what a bridge keeps of a person's feedback, the last received first.
type Person struct {
	// Ended are deliveries that are completed or dropped, or that reconcile was about to
	// send; Dead are dead letters. Both can be forgotten. Left are on their way, or being
	// replayed, and cannot be forgotten yet.
	Ended, Dead, Left []PersonsDelivery
}

// PersonsDelivery is one of a person's deliveries.
type PersonsDelivery struct {
	DeliveryID string    `json:"deliveryId"`
	ReceivedAt time.Time `json:"receivedAt"`
	// State is the value of [ledger.Entry.Standing], or [NotSent].
	State    string `json:"state"`
	Project  string `json:"project,omitempty"`
	TicketID string `json:"ticketId,omitempty"`
}

// Person finds what is kept of the feedback from an email address. It changes nothing and
// receives no message. progress may be nil.
func (d *Manager) Person(ctx context.Context, email string, progress func(looked int)) (*Person, error) {
	s, err := d.personIn(ctx, email, progress)
	if err != nil {
		return nil, err
	}
	return s.person(), nil
}

// Forget removes the feedback from an email address: it drops dead letters, and finished
// deliveries keep only the fact that they are done. It returns what there was before, and
// what is left now. stays is called, one at a time, for what could not be forgotten, with
// the reason. If the process dies, the next call finishes the work.
func (d *Manager) Forget(ctx context.Context, email string, progress func(looked int), stays func(id string, err error)) (before, after *Person, err error) {
	was, err := d.personIn(ctx, email, progress)
	if err != nil {
		return nil, nil, err
	}
	for _, u := range was.unsent {
		if err := d.ledger.Withdraw(ctx, u); err != nil {
			stays(u.DeliveryID, err)
		}
	}
	// On a stack the queue is received, since nothing else finds all letters.
	in, err := d.Select(ctx, Query{Filter: Filter{means: was.means}})
	if err != nil {
		return nil, nil, err
	}
	d.Drop(ctx, in, becauseForgotten, func(c Case, err error) { stays(c.DeliveryID, err) })
	if err := in.Hold.Release(ctx); err != nil {
		return nil, nil, err
	}
	for id := range was.entries {
		var err error
		if in.Absent == 0 { // otherwise another command holds letters
			err = d.dropWithoutLetter(ctx, was, id)
		}
		if err == nil {
			err = d.ledger.Forget(ctx, id)
		}
		if err != nil && !errors.Is(err, ledger.ErrNotEnded) && !errors.Is(err, ledger.ErrNotFound) {
			stays(id, err)
		}
	}
	left, err := d.personIn(ctx, email, progress)
	if err != nil {
		return nil, nil, err
	}
	return was.person(), left.person(), nil
}

// dropWithoutLetter drops a dead delivery that has no message any more.
func (d *Manager) dropWithoutLetter(ctx context.Context, s *persons, id string) error {
	e, err := d.ledger.Entry(ctx, id)
	if err != nil || e.State != ledger.Dead || e.Dropped() || s.queued[id] || e.ReplayedSince() {
		return err
	}
	return d.ledger.Drop(ctx, id, e.Generation, becauseForgotten)
}

// persons is what was found about a person.
type persons struct {
	email   string
	entries map[string]ledger.Entry
	// queued are the deliveries that have a message in a folder's work queue.
	queued map[string]bool
	// unsent is what reconcile was about to send.
	unsent []ledger.Unsent
}

func (d *Manager) personIn(ctx context.Context, email string, progress func(int)) (*persons, error) {
	if !address.Valid(email) {
		return nil, ErrNoAddress
	}
	s := &persons{email: email, entries: map[string]ledger.Entry{}, queued: map[string]bool{}}
	// If the ledger does not keep who it was, the letter may, or the text of a fault.
	var unnamed []ledger.Entry
	err := d.home.History.Search(ctx, ledger.Query{Progress: progress}, func(e ledger.Entry) bool {
		ended := ledger.Ended(e.Standing())
		nobody := e.About == nil || e.About.Email == ""
		switch {
		case e.Forgotten && e.Letter > 0, !nobody && address.In(e.About.Email, email),
			ended && nobody && e.Last != nil && address.In(e.Last.Text, email):
			s.entries[e.DeliveryID] = e
		case e.Dropped() && e.Letter > 0:
			unnamed = append(unnamed, e)
		}
		return true
	})
	if err != nil {
		return nil, err
	}
	for _, e := range unnamed {
		l, err := d.kept(ctx, e)
		if err != nil {
			return nil, err
		}
		if l.Webhook, _ = l.Payload(); s.means(*l) {
			s.entries[e.DeliveryID] = e
		}
	}
	in, err := d.Look(ctx, Query{Filter: Filter{means: s.means}})
	if err != nil {
		return nil, err
	}
	// The ledger may not know the messages in a folder's work queue yet.
	err = d.home.PeekWork(ctx, func(m types.Message) bool {
		l := letterOf(m)
		if l.Webhook, _ = l.Payload(); s.means(l) {
			s.queued[l.DeliveryID] = true
		}
		return true
	})
	if err != nil {
		return nil, err
	}
	if err := d.unsentOf(ctx, s); err != nil {
		return nil, err
	}
	others := map[string]ledger.State{} // their states, if the ledger has no entry
	for id := range s.queued {
		others[id] = ledger.Claimed
	}
	for _, c := range in.Cases {
		others[c.DeliveryID] = ledger.Dead
	}
	for id := range s.entries {
		delete(others, id)
	}
	known, err := d.entries(ctx, slices.Collect(maps.Keys(others)))
	for id, state := range others {
		s.entries[id] = ledger.Entry{DeliveryID: id, State: state}
	}
	maps.Copy(s.entries, known)
	return s, err
}

// unsentOf finds what reconcile was about to send of the person's feedback.
func (d *Manager) unsentOf(ctx context.Context, s *persons) error {
	noted, err := d.home.History.Noted(ctx, ledger.AttentionUnsent)
	if err != nil {
		return err
	}
	all, err := d.ledger.Unsent(ctx, noted)
	for _, u := range all {
		if event, err := testfairy.Decode(u.Payload); err == nil && s.isOf(event) {
			s.unsent = append(s.unsent, u)
		}
	}
	return err
}

// means reports whether a letter is the person's: by the ledger, by its payload or, if that
// cannot be decoded, by its text.
func (s *persons) means(l Letter) bool {
	if e, ok := s.entries[l.DeliveryID]; ok && e.About != nil && address.In(e.About.Email, s.email) {
		return true
	}
	if len(l.Webhook.Fields) == 0 {
		return address.In(l.Body, s.email)
	}
	return s.isOf(l.Webhook) || s.wasEdited(l)
}

// isOf reports whether an event names the person as its sender.
func (s *persons) isOf(event testfairy.Event) bool {
	return address.In(event.Text("email"), s.email) || address.In(event.Text("testerEmail"), s.email)
}

// wasEdited reports whether the person was replaced by somebody else.
func (s *persons) wasEdited(l Letter) bool {
	e, err := queue.Decode(l.Body)
	return err == nil && slices.ContainsFunc(e.Edits, func(edit queue.Edit) bool { return address.In(string(edit.Old), s.email) })
}

func (s *persons) person() *Person {
	p := &Person{}
	for _, e := range s.entries {
		one := PersonsDelivery{DeliveryID: e.DeliveryID, ReceivedAt: e.Received().UTC(), State: e.Standing(), TicketID: e.TicketID}
		if e.Where != nil {
			one.Project = e.Where.Project
		}
		switch {
		case ledger.Ended(one.State):
			p.Ended = append(p.Ended, one)
		case e.State == ledger.Dead && !s.queued[e.DeliveryID]:
			p.Dead = append(p.Dead, one)
		default:
			p.Left = append(p.Left, one)
		}
	}
	for _, u := range s.unsent {
		if _, sent := s.entries[u.DeliveryID]; !sent {
			p.Ended = append(p.Ended, PersonsDelivery{DeliveryID: u.DeliveryID, ReceivedAt: u.At.UTC(), State: NotSent})
		}
	}
	for _, all := range []*[]PersonsDelivery{&p.Ended, &p.Dead, &p.Left} {
		slices.SortFunc(*all, func(a, b PersonsDelivery) int {
			return cmp.Or(b.ReceivedAt.Compare(a.ReceivedAt), strings.Compare(a.DeliveryID, b.DeliveryID))
		})
	}
	return p
}
