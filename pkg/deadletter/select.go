package deadletter

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

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
	s := sifting{query: w, known: map[string]sifted{}}
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
	s := sifting{query: w, known: map[string]sifted{}}
	if d.home.Peeks != nil {
		err := d.peek(ctx, func(l Letter) bool {
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
	records, err := d.home.History.Waiting(ctx)
	if err != nil {
		return nil, err
	}
	if err := d.addKept(ctx, &s, records, d.keptLetter); err != nil {
		return nil, err
	}
	in := s.selection(ctx, d)
	in.Absent = max(0, depth.Total()-len(records))
	return in, nil
}

// addKept adds the letters that read returns for records; nil for none.
func (d *Manager) addKept(ctx context.Context, s *sifting, records []ledger.Record, read func(context.Context, ledger.Record) (*Letter, error)) error {
	var readers errgroup.Group
	readers.SetLimit(lookups)
	for i, r := range records {
		readers.Go(func() error {
			l, err := read(ctx, r)
			if err == nil && l != nil {
				s.add(*l)
			}
			d.progress("reading dead letters", i+1, len(records))
			return err
		})
	}
	return readers.Wait()
}

// sifting collects what is needed of many letters. It is safe for concurrent use.
type sifting struct {
	query   Query
	mu      sync.Mutex
	letters []Letter
	known   map[string]sifted // by message id
	// waiting are the ledger's records of deliveries that wait for a person, if they were
	// read.
	waiting []ledger.Record
}

type sifted struct {
	event testfairy.Event
	meant bool
}

func (s *sifting) add(l Letter) {
	var one sifted
	if s.query.Payloads || s.query.Filter.NeedsPayload() {
		one.event, _ = l.Payload() // a payload that cannot be decoded has no fields
	}
	if l.Moved() {
		one.meant = s.query.Filter.WithoutFault().Selects(l, one.event)
	} else {
		one.meant = s.query.Filter.Selects(l, one.event)
	}
	if !one.meant || !s.query.Bodies {
		l.Body = ""
	}
	if !one.meant {
		one.event = testfairy.Event{}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.letters = append(s.letters, l)
	s.known[l.MessageID] = one
}

// selection returns the selected letters, with the ledger's data on those that SQS moved.
func (s *sifting) selection(ctx context.Context, d *Manager) *Selection {
	in := &Selection{}
	for _, c := range Cases(s.letters) {
		in.Deliveries++
		if one := s.known[c.MessageID]; one.meant {
			c.Webhook = one.event
			in.Cases = append(in.Cases, c)
		}
	}
	in.LedgerErr = d.lastErrors(ctx, in.Cases)
	group, known := s.query.Filter.Group, causes{}
	if s.query.Entries || group != "" {
		in.LedgerErr = cmp.Or(in.LedgerErr, d.know(ctx, s.waiting, in.Cases))
	}
	in.Cases = slices.DeleteFunc(in.Cases, func(c Case) bool {
		return c.Moved() && !s.query.Filter.Selects(c.Letter, c.Webhook) || group != "" && known.of(c).key() != group
	})
	return in
}

// lastErrors adds the ledger's last errors of the letters that SQS moved.
func (d *Manager) lastErrors(ctx context.Context, cases []Case) error {
	var ids []string
	for _, c := range cases {
		if c.Moved() {
			ids = append(ids, c.DeliveryID)
		}
	}
	known, err := d.entries(ctx, ids)
	for i := range cases {
		if e, ok := known[cases[i].DeliveryID]; ok && cases[i].Moved() {
			describeMoved(&cases[i].Letter, e)
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
			if strings.HasPrefix(c.DeliveryID, strings.ToLower(id)) {
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
