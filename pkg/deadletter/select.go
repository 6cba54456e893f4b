package deadletter

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"fairbridge/pkg/ledger"
	"fairbridge/pkg/queue"
	"fairbridge/pkg/terminal"
	"fairbridge/pkg/testfairy"
)

// shortID is enough of a delivery id to name it.
func shortID(id string) string { return id[:min(12, len(id))] }

// Selection is dead letters in hand, and of them those that are meant.
type Selection struct {
	Hold *Hold
	// Cases are those that are meant, the longest dead first.
	Cases []Case
	// Deliveries counts all that were found.
	Deliveries int
	// More says that these are not all.
	More bool
	// LedgerErr says why the last error of some that SQS moved is not known.
	LedgerErr error
}

// Wish says which letters are meant, and what is needed of them.
type Wish struct {
	Filter Filter
	// Payloads and Bodies are kept only where they are needed: there may be very
	// many letters.
	Payloads, Bodies bool
	// Most is how many letters are taken in hand at once, 0 for all.
	Most int
}

// Select takes all dead letters in hand and finds those that are meant. The caller
// owes a release.
func (d *Desk) Select(ctx context.Context, w Wish) (*Selection, error) {
	hold := d.queue.Open(ctx)
	in, err := d.selectMore(ctx, hold, w)
	if err != nil {
		return nil, errors.Join(err, hold.Release(ctx))
	}
	return in, nil
}

// selectMore takes dead letters in hand besides those that are.
func (d *Desk) selectMore(ctx context.Context, hold *Hold, w Wish) (*Selection, error) {
	type seen struct {
		event testfairy.Event
		meant bool
	}
	var mu sync.Mutex
	var letters []Letter
	known := map[string]seen{} // by message id
	early := w.Filter.WithoutFault()
	anyMore, err := hold.Take(ctx, w.Most, func(l Letter) {
		var s seen
		if w.Payloads || w.Filter.NeedsPayload() {
			s.event, _ = l.Payload() // what cannot be decoded has no fields
		}
		if l.Reason == queue.ReasonRetriesExhausted {
			s.meant = early.Selects(l, s.event)
		} else {
			s.meant = w.Filter.Selects(l, s.event)
		}
		if !s.meant || !w.Bodies {
			l.Body = ""
		}
		if !s.meant {
			s.event = testfairy.Event{}
		}
		mu.Lock()
		defer mu.Unlock()
		letters = append(letters, l)
		known[l.MessageID] = s
	})
	if err != nil {
		return nil, err
	}
	in := &Selection{Hold: hold, More: anyMore}
	for _, c := range Cases(letters) {
		in.Deliveries++
		if s := known[c.MessageID]; s.meant {
			c.Webhook = s.event
			in.Cases = append(in.Cases, c)
		}
	}
	in.LedgerErr = d.lastErrors(ctx, in.Cases)
	in.Cases = slices.DeleteFunc(in.Cases, func(c Case) bool {
		return c.Reason == queue.ReasonRetriesExhausted && !w.Filter.Selects(c.Letter, c.Webhook)
	})
	return in, nil
}

// lastErrors fills in what the ledger knows of the letters that SQS moved.
func (d *Desk) lastErrors(ctx context.Context, cases []Case) error {
	var ids []string
	for _, c := range cases {
		if c.Reason == queue.ReasonRetriesExhausted {
			ids = append(ids, c.DeliveryID)
		}
	}
	known, err := d.entries(ctx, ids)
	for i := range cases {
		if e, ok := known[cases[i].DeliveryID]; ok && cases[i].Reason == queue.ReasonRetriesExhausted {
			describeMoved(&cases[i].Letter, e)
		}
	}
	return err
}

// describeMoved tells of a letter that SQS moved what the ledger knows last.
func describeMoved(l *Letter, e ledger.Entry) {
	l.Attempts = e.Attempts
	switch {
	case e.State == ledger.Completed:
		l.Description = "done already, as ticket " + cmp.Or(e.TicketID, "of unknown id")
	case e.Last != nil:
		l.Stage, l.Status, l.Description = queue.Stage(e.Last.Stage), e.Last.Status, e.Last.Text
	}
}

// Missing returns those of the ids that no letter has, and an error if one means
// several deliveries.
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
