package deadletter

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"fairbridge/pkg/home"
	"fairbridge/pkg/ledger"
	"fairbridge/pkg/queue"
	"fairbridge/pkg/terminal"
	"fairbridge/pkg/testfairy"
)

// Selection is the selected dead letters.
type Selection struct {
	// Hold holds them; nil if they were only looked at.
	Hold *Hold
	// Cases are the selected ones, the oldest death first.
	Cases []Case
	// Deliveries counts all that were found.
	Deliveries int
	// More means that there are others.
	More bool
	// Absent is roughly how many further letters the queue reports.
	Absent int
	// LedgerErr is why the last error of some letters that SQS moved is unknown.
	LedgerErr error
}

// Query selects letters, and the data that is needed of them.
type Query struct {
	Filter Filter
	// Payloads and Bodies are kept only if they are needed: there may be very many letters.
	Payloads, Bodies bool
	// Entries requests the cases' ledger entries.
	Entries bool
	// Most is how many letters are held at a time, 0 for all.
	Most int
}

// Select receives and holds all dead letters and finds the selected ones. The caller must
// release them.
func (d *Manager) Select(ctx context.Context, w Query) (*Selection, error) {
	hold := d.queue.Open(ctx)
	in, err := d.selectMore(ctx, hold, w)
	if err != nil {
		return nil, errors.Join(err, hold.Release(ctx))
	}
	return in, nil
}

// selectMore receives dead letters in addition to those already held.
func (d *Manager) selectMore(ctx context.Context, hold *Hold, w Query) (*Selection, error) {
	s := sifting{query: w}
	anyMore, err := hold.Take(ctx, w.Most, s.add)
	if err == nil && !anyMore {
		anyMore, err = d.addLost(ctx, &s, hold)
	}
	if err != nil {
		return nil, err
	}
	in := s.selection(ctx, d)
	in.Hold, in.More, in.Absent = hold, anyMore, hold.Missing
	return in, nil
}

// Look finds the selected letters without receiving any, so that others who work with the
// queue are not affected. In a folder it reads the queue, and the ledger for letters that
// are no longer in it. On a stack it reads the ledger's entries of deliveries that wait for
// a person: letters that the ledger does not know are Absent, such as those that SQS moved
// before [Manager.Adopt].
func (d *Manager) Look(ctx context.Context, w Query) (*Selection, error) {
	s := sifting{query: w}
	if d.home.Peeks != nil {
		err := peek(ctx, d.home, func(l Letter) bool {
			s.add(l)
			return true
		})
		if err == nil {
			_, err = d.addLost(ctx, &s, nil)
		}
		if err != nil {
			return nil, err
		}
		return s.selection(ctx, d), nil
	}
	depth, err := d.home.Depth(ctx, d.home.DeadLetterQueueURL)
	if err != nil {
		return nil, err
	}
	s.waiting, err = d.home.Noted(ctx, ledger.AttentionPerson)
	if err != nil {
		return nil, err
	}
	if err := d.addKept(ctx, &s, s.waiting, d.kept); err != nil {
		return nil, err
	}
	in := s.selection(ctx, d)
	in.Absent = max(0, depth.Total()-len(s.waiting))
	return in, nil
}

// Glance calls visit for dead letters until it returns false, in one pass and without
// receiving any. Every letter has a delivery id.
//
// On AWS, receiving a message hides it from others. So there the letters come from the
// ledger's entries of deliveries that wait for a person, without their payloads; those that
// SQS itself moved are missing, since the ledger does not know them.
func Glance(ctx context.Context, h *home.Home, visit func(Letter) bool) error {
	if h.Peeks != nil {
		return peek(ctx, h, visit)
	}
	waiting, err := h.Noted(ctx, ledger.AttentionPerson)
	for _, e := range waiting {
		if !visit(entrysLetter(e)) {
			break
		}
	}
	return err
}

// peek visits the letters in a folder's queue.
func peek(ctx context.Context, h *home.Home, visit func(Letter) bool) error {
	return h.Peeks.Peek(ctx, h.DeadLetterQueueURL, func(m types.Message) bool { return visit(letterOf(m)) })
}

// addKept adds the letters that read returns for dead deliveries; nil for none.
func (d *Manager) addKept(ctx context.Context, s *sifting, dead []ledger.Entry, read func(context.Context, ledger.Entry) (*Letter, error)) (first error) {
	looked := 0
	sideBySide(lookups, dead, func(e ledger.Entry) func() {
		l, err := read(ctx, e)
		return func() {
			if err == nil && l != nil {
				s.add(*l)
			}
			looked++
			d.progress("reading dead letters", looked, len(dead))
			first = cmp.Or(first, err)
		}
	})
	return first
}

// sifting collects what is needed of many letters.
type sifting struct {
	query   Query
	letters []Letter
	// waiting are the ledger's entries of deliveries that wait for a person, if they were
	// read.
	waiting []ledger.Entry
}

// needsEntries reports whether the ledger's entries of all cases are needed.
func (s *sifting) needsEntries() bool { return s.query.Entries || s.query.Filter.Group != "" }

func (s *sifting) add(l Letter) {
	filter := s.query.Filter
	if s.query.Payloads || filter.needsPayload() {
		l.Webhook, _ = l.Payload() // a payload that cannot be decoded has no fields
	}
	if l.Moved() {
		filter = filter.withoutFault()
	}
	l.meant = filter.selects(l)
	if !l.meant || !s.query.Bodies {
		l.Body = ""
	}
	if !l.meant {
		l.Webhook = testfairy.Event{}
	}
	s.letters = append(s.letters, l)
}

// selection returns the selected letters, with the ledger's data on those that SQS moved.
func (s *sifting) selection(ctx context.Context, d *Manager) *Selection {
	all := Cases(s.letters)
	in := &Selection{Deliveries: len(all)}
	in.Cases = slices.DeleteFunc(all, func(c Case) bool { return !c.meant })
	in.LedgerErr = d.know(ctx, s, in.Cases)
	group, known := s.query.Filter.Group, causes{}
	in.Cases = slices.DeleteFunc(in.Cases, func(c Case) bool {
		return c.Moved() && !s.query.Filter.selects(c.Letter) || group != "" && known.of(c).key() != group
	})
	return in
}

// know adds the ledger's data to cases: the last error of those that SQS moved and, if the
// query needs them, the entries of all. Nearly all of these wait for a person, and are read
// with one call.
func (d *Manager) know(ctx context.Context, s *sifting, cases []Case) (err error) {
	all := s.needsEntries()
	if all && len(s.waiting) == 0 && len(cases) > 0 {
		if s.waiting, err = d.home.Noted(ctx, ledger.AttentionPerson); err != nil {
			return err
		}
	}
	known := make(map[string]ledger.Entry, len(s.waiting))
	for _, e := range s.waiting {
		known[e.DeliveryID] = e
	}
	var others []string
	for _, c := range cases {
		if _, ok := known[c.DeliveryID]; !ok && (all || c.Moved()) {
			others = append(others, c.DeliveryID)
		}
	}
	found, err := d.entries(ctx, others)
	maps.Copy(known, found)
	for i := range cases {
		c := &cases[i]
		e, ok := known[c.DeliveryID]
		if ok && all {
			c.Entry = &e
		}
		if ok && c.Moved() {
			describeMoved(&c.Letter, e)
		}
	}
	return err
}

// describeMoved sets the fault of a letter that SQS moved from the ledger.
func describeMoved(l *Letter, e ledger.Entry) {
	l.Attempts = e.Attempts
	switch {
	case e.State == ledger.Completed:
		l.Description = "done already, as ticket " + cmp.Or(e.TicketID, "of unknown id")
	case e.Last != nil:
		l.Stage, l.Status, l.Description = queue.Stage(e.Last.Stage), e.Last.Status, e.Last.Text
	}
}

// Missing returns the ids that match no letter, and an error if one matches several
// deliveries.
func (in *Selection) Missing(ids []string) (missing []string, err error) {
	for _, id := range ids {
		var hits []string
		for _, c := range in.Cases {
			if begins(id, c.DeliveryID) {
				hits = append(hits, c.DeliveryID)
			}
		}
		if len(hits) == 0 {
			missing = append(missing, id)
		}
		if len(hits) > 1 {
			return nil, fmt.Errorf("%s is the beginning of %s: %s", id, terminal.Count(len(hits), "delivery id"), strings.Join(hits, ", "))
		}
	}
	return missing, nil
}
