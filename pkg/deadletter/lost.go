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
	if err == nil && s.needsEntries() {
		s.waiting, err = ledger.ReadAll(records)
	}
	if err != nil {
		return false, fmt.Errorf("read the ledger: %w", err)
	}
	lacks, err := d.lacks(ctx, s, hold)
	if err != nil {
		return false, err
	}
	// Most are in the queue, so only the others are decoded.
	records = slices.DeleteFunc(records, func(r ledger.Record) bool {
		return !matchesAny(ids, func(id string) bool { return begins(id, r.ID) }) || !lacks(r.ID)
	})
	if most := s.query.Most; most > 0 && len(records) > most {
		records, more = records[:most], true
	}
	lost, err := ledger.ReadAll(records)
	if err != nil {
		return false, err
	}
	for _, e := range lost {
		hold.see(e.DeliveryID)
	}
	return more, d.addKept(ctx, s, lost, func(ctx context.Context, e ledger.Entry) (*Letter, error) {
		return d.lostLetter(ctx, e, d.home.Peeks == nil && len(ids) == 0)
	})
}

// lacks returns a function that reports whether no queue has the message of a delivery that
// was dead a moment ago, as far as that can be known.
func (d *Manager) lacks(ctx context.Context, s *sifting, hold *Hold) (func(delivery string) bool, error) {
	there := map[string]bool{}
	for _, l := range s.letters {
		there[l.DeliveryID] = true
	}
	onTheirWay, letters, err := d.home.InQueues(ctx)
	for _, found := range []map[string]time.Time{letters, onTheirWay} {
		for id := range found {
			there[id] = true
		}
	}
	// On a stack, letters that another command holds may be any of them.
	unknown := d.home.Peeks == nil && hold.Missing > 0 && len(s.query.Filter.IDs) == 0
	return func(id string) bool { return !unknown && !there[id] && !hold.saw(id) }, err
}

// lostLetter returns the letter of a dead delivery that no queue seems to have, or nil if it
// has continued since, or nothing is kept of it. guess means that a stack's queues could not
// be searched.
func (d *Manager) lostLetter(ctx context.Context, was ledger.Entry, guess bool) (*Letter, error) {
	e, err := d.ledger.Entry(ctx, was.DeliveryID)
	switch {
	case errors.Is(err, ledger.ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, err
	case !waitsSince(e, was.Generation), guess && (e.ReplayedSince() || d.now().Sub(e.UpdatedAt) < lags):
		return nil, nil
	}
	l, err := d.kept(ctx, was)
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

// kept returns the letter of a dead delivery from the ledger.
func (d *Manager) kept(ctx context.Context, e ledger.Entry) (*Letter, error) {
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
	l := entrysLetter(e)
	return &l, nil
}

// entrysLetter returns what the ledger entry of a dead delivery shows of its letter.
func entrysLetter(e ledger.Entry) Letter {
	l := Letter{MessageID: e.DeliveryID}
	l.DeliveryID, l.Generation, l.Replays, l.Attempts, l.FailedAt = e.DeliveryID, e.Generation, e.Replays, e.Attempts, e.WaitsSince()
	if e.Last != nil {
		l.Reason, l.Stage, l.Status, l.Description = queue.Reason(e.Last.Reason), queue.Stage(e.Last.Stage), e.Last.Status, e.Last.Text
	}
	return l
}
