package deadletter

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"fairbridge/pkg/ledger"
	"fairbridge/pkg/queue"
)

// lags is how long a stack's queue and index may differ while deliveries die.
const lags = 5 * time.Minute

// addLost adds letters that are in the ledger but not in the queue, because somebody
// deleted them or they have expired. hold has received what the queue has; nil if nothing
// was received. more means that there are further ones: hold counts the added ones as seen.
func (d *Manager) addLost(ctx context.Context, s *sifting, hold *Hold) (more bool, err error) {
	ids := s.query.Filter.IDs
	missing := func(id string) bool {
		return !slices.ContainsFunc(s.letters, func(l Letter) bool { return begins(id, l.DeliveryID) })
	}
	if len(ids) > 0 && !slices.ContainsFunc(ids, missing) {
		return false, nil
	}
	records, err := d.home.History.Noted(ctx, ledger.AttentionPerson)
	if err != nil {
		return false, err
	}
	if s.query.Entries {
		s.waiting = slices.Clone(records)
	}
	lacks, err := d.lacks(ctx, s, hold)
	if err != nil {
		return false, err
	}
	records = slices.DeleteFunc(records, func(r ledger.Record) bool {
		return !matchesAny(ids, func(id string) bool { return begins(id, r.ID) }) || !lacks(r.ID)
	})
	if most := s.query.Most; most > 0 && len(records) > most {
		records, more = records[:most], true
	}
	for _, r := range records {
		hold.see(r.ID)
	}
	return more, d.addKept(ctx, s, records, func(ctx context.Context, r ledger.Record) (*Letter, error) {
		return d.lostLetter(ctx, r, d.home.Peeks == nil && len(ids) == 0)
	})
}

// lacks returns a function that reports whether no queue has the message of a delivery that
// was dead a moment ago, as far as that can be known.
func (d *Manager) lacks(ctx context.Context, s *sifting, hold *Hold) (func(delivery string) bool, error) {
	there := map[string]bool{}
	for _, l := range s.letters {
		there[l.DeliveryID] = true
	}
	if d.home.Peeks == nil {
		// Letters that another command holds may be any of them.
		unknown := hold.Missing > 0 && len(s.query.Filter.IDs) == 0
		return func(id string) bool { return !unknown && !there[id] && !hold.saw(id) }, nil
	}
	// The letters are read first: what is replayed meanwhile is then in both lists, not in
	// neither.
	letters, err := d.home.Peeks.Deliveries(ctx, d.home.DeadLetterQueueURL)
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

// lostLetter returns the letter of a delivery that no queue seems to have, or nil if the
// delivery has continued since, or nothing is kept of it. guess means that a stack's queues
// could not be searched.
func (d *Manager) lostLetter(ctx context.Context, r ledger.Record, guess bool) (*Letter, error) {
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
	l.Kept, l.Generation = true, max(l.Generation, e.Generation) // an import increases it
	return l, nil
}

// waitsSince reports whether a delivery has been waiting for a person since that death.
func waitsSince(e ledger.Entry, generation int) bool {
	return e.State == ledger.Dead && !e.Dropped() && e.Generation <= generation
}

// keptLetter returns the letter of a dead delivery from the ledger.
func (d *Manager) keptLetter(ctx context.Context, r ledger.Record) (*Letter, error) {
	e, err := ledger.Read(r)
	if err != nil {
		return nil, err
	}
	return d.kept(ctx, e, r.Since)
}

// kept returns the letter of a delivery that died at that time from the ledger.
func (d *Manager) kept(ctx context.Context, e ledger.Entry, died time.Time) (*Letter, error) {
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

// entrysLetter returns what the ledger entry of a delivery that died at that time shows of
// its letter.
func entrysLetter(e ledger.Entry, died time.Time) Letter {
	l := Letter{MessageID: e.DeliveryID}
	l.DeliveryID, l.Generation, l.Replays, l.Attempts, l.FailedAt = e.DeliveryID, e.Generation, e.Replays, e.Attempts, died
	if e.Last != nil {
		l.Reason, l.Stage, l.Status, l.Description = queue.Reason(e.Last.Reason), queue.Stage(e.Last.Stage), e.Last.Status, e.Last.Text
	}
	return l
}
