package deadletter

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"fairbridge/pkg/ledger"
	"fairbridge/pkg/queue"
)

// lags is for how long queue and index of a stack may differ while deliveries die.
const lags = 5 * time.Minute

// addLost adds the letters that the queue does not have, since somebody deleted them
// or their time was over, but the ledger. hold has taken what there is; nil if the
// queue was only looked at. more says that there are others: hold counts those that
// were added as seen.
func (d *Desk) addLost(ctx context.Context, s *sifting, hold *Hold) (more bool, err error) {
	ids := s.wish.Filter.IDs
	means := func(delivery string) func(string) bool {
		return func(id string) bool { return strings.HasPrefix(delivery, strings.ToLower(id)) }
	}
	if len(ids) > 0 && !slices.ContainsFunc(ids, func(id string) bool {
		return !slices.ContainsFunc(s.letters, func(l Letter) bool { return means(l.DeliveryID)(id) })
	}) {
		return false, nil // all are there
	}
	records, err := d.home.History.Waiting(ctx)
	if err != nil {
		return false, err
	}
	if s.wish.Entries {
		s.waiting = slices.Clone(records)
	}
	lacks, err := d.lacks(ctx, s, hold)
	if err != nil {
		return false, err
	}
	records = slices.DeleteFunc(records, func(r ledger.Record) bool {
		return len(ids) > 0 && !slices.ContainsFunc(ids, means(r.ID)) || !lacks(r.ID)
	})
	if most := s.wish.Most; most > 0 && len(records) > most {
		records, more = records[:most], true
	}
	for _, r := range records {
		hold.see(r.ID)
	}
	return more, d.addKept(ctx, s, records, func(ctx context.Context, r ledger.Record) (*Letter, error) {
		return d.lostLetter(ctx, r, d.home.Ages == nil && len(ids) == 0)
	})
}

// lacks says of a delivery that was dead a moment ago whether no queue has its
// message, as far as that can be known.
func (d *Desk) lacks(ctx context.Context, s *sifting, hold *Hold) (func(delivery string) bool, error) {
	there := map[string]bool{}
	for _, l := range s.letters {
		there[l.DeliveryID] = true
	}
	if d.home.Ages == nil {
		// What another command has in hand may be any of them.
		unknown := hold.Missing > 0 && len(s.wish.Filter.IDs) == 0
		return func(id string) bool { return !unknown && !there[id] && !hold.saw(id) }, nil
	}
	// Letters first: what is replayed meanwhile is then in both, not in neither.
	letters, err := d.home.Ages.Deliveries(ctx, d.home.DeadLetterQueueURL)
	if err != nil {
		return nil, err
	}
	onTheirWay, err := d.home.OnTheirWay(ctx)
	if err != nil {
		return nil, err
	}
	for _, found := range []map[string]time.Time{letters, onTheirWay} {
		for id := range found {
			there[id] = true
		}
	}
	return func(id string) bool { return !there[id] && !hold.saw(id) }, nil
}

// lostLetter is the letter of a delivery that no queue seems to have, or nil if it
// has gone on since, or nothing is kept of it. guess says that the queues of a stack
// could not be asked.
func (d *Desk) lostLetter(ctx context.Context, r ledger.Record, guess bool) (*Letter, error) {
	was, err := ledger.Read(r)
	if err != nil {
		return nil, err
	}
	e, err := d.ledger.Entry(ctx, r.ID)
	switch {
	case errors.Is(err, ledger.ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, err
	case !waitsSince(e, was.Generation), guess && (e.ReplayedSince() || d.now().Sub(e.UpdatedAt) < lags):
		return nil, nil
	}
	l, err := d.kept(ctx, was, r.Since)
	if err != nil || l.Body == "" {
		return nil, err
	}
	l.Kept, l.Generation = true, max(l.Generation, e.Generation) // an import raises that
	return l, nil
}

// waitsSince says whether a delivery still waits for a person since that death.
func waitsSince(e ledger.Entry, generation int) bool {
	return e.State == ledger.Dead && !e.Dropped() && e.Generation <= generation
}

// keptLetter is the letter of a dead delivery, as the ledger keeps it.
func (d *Desk) keptLetter(ctx context.Context, r ledger.Record) (*Letter, error) {
	e, err := ledger.Read(r)
	if err != nil {
		return nil, err
	}
	return d.kept(ctx, e, r.Since)
}

// kept is the letter of a delivery that died at some time, as the ledger keeps it.
func (d *Desk) kept(ctx context.Context, e ledger.Entry, died time.Time) (*Letter, error) {
	text, err := d.ledger.Letter(ctx, e)
	if err == nil {
		var line queue.Line
		if err := json.Unmarshal(text, &line); err != nil {
			return nil, fmt.Errorf("read the letter of delivery %s: %w", queue.ShortID(e.DeliveryID), err)
		}
		return &Letter{DeadLetter: line.DeadLetter, MessageID: e.DeliveryID, SentAt: line.SentAt, Body: line.Body}, nil
	}
	if !errors.Is(err, ledger.ErrNoLetter) {
		return nil, err
	}
	l := entrysLetter(e, died)
	return &l, nil
}

// entrysLetter is what the ledger's entry of a delivery that died at some time tells
// of its letter.
func entrysLetter(e ledger.Entry, died time.Time) Letter {
	l := Letter{MessageID: e.DeliveryID}
	l.DeliveryID, l.Generation, l.Replays, l.Attempts, l.FailedAt = e.DeliveryID, e.Generation, e.Replays, e.Attempts, died
	if e.Last != nil {
		l.Reason, l.Stage, l.Status, l.Description = queue.Reason(e.Last.Reason), queue.Stage(e.Last.Stage), e.Last.Status, e.Last.Text
	}
	return l
}
