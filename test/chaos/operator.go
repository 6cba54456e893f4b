package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	centercodesim "fairbridge/pkg/centercode/simulator"
	"fairbridge/pkg/deadletter"
	"fairbridge/pkg/ledger"
)

// operator is the person who handles dead letters as docs/dead-letters.md describes: look
// at Centercode, settle the doubtful ones, replay.
type operator struct {
	far     *farEnd
	ledger  *ledger.Ledger
	letters *deadletter.Queue
}

// round lists all dead letters, passes them to look, and replays them. It returns the
// number of deliveries.
func (o *operator) round(ctx context.Context, look func([]deadletter.Case) error) (replayed int, err error) {
	var mu sync.Mutex
	var letters []deadletter.Letter
	hold, err := o.letters.Take(ctx, func(l deadletter.Letter) {
		mu.Lock()
		defer mu.Unlock()
		letters = append(letters, l)
	})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, hold.Release(ctx)) }()
	if hold.Missing > 0 {
		return 0, fmt.Errorf("%d dead letters are counted, but not handed out", hold.Missing)
	}
	cases := deadletter.Cases(letters)
	if err := look(cases); err != nil {
		return 0, err
	}
	tickets := ticketsByDelivery(o.far.center)
	for _, c := range cases {
		if err := o.settle(ctx, c.DeliveryID, tickets[c.DeliveryID]); err != nil {
			return 0, err
		}
	}
	hold.Replay(ctx, cases, 0, func(c deadletter.Case, replayErr error) {
		if replayErr != nil {
			err = errors.Join(err, fmt.Errorf("replay %s: %w", c.DeliveryID, replayErr))
		}
	})
	return len(cases), err
}

// settle records in the ledger what Centercode has, where an answer was lost.
func (o *operator) settle(ctx context.Context, id string, tickets []centercodesim.Ticket) error {
	e, err := o.free(ctx, id)
	if err != nil {
		return err
	}
	there := len(tickets) > 0
	if there && e.Attaching != "" {
		there = slices.ContainsFunc(tickets[0].Files, func(f centercodesim.File) bool { return f.Element == e.Attaching })
	}
	if there {
		err = o.ledger.SettleCreated(ctx, id, tickets[0].ID)
	} else {
		err = o.ledger.SettleNotCreated(ctx, id)
	}
	if errors.Is(err, ledger.ErrNotParked) {
		return nil // nothing is in doubt
	}
	return err
}

// free waits until nobody holds a delivery. A worker that was killed in a message's last
// attempt leaves its lease, which only expires with time.
func (o *operator) free(ctx context.Context, id string) (ledger.Entry, error) {
	for {
		e, err := o.ledger.Entry(ctx, id)
		if err != nil || !e.HeldAt(time.Now()) {
			return e, err
		}
		select {
		case <-time.After(time.Until(e.LeaseUntil)):
		case <-ctx.Done():
			return e, ctx.Err()
		}
	}
}

// ticketsByDelivery are the tickets at Centercode.
func ticketsByDelivery(center *centercodesim.Simulator) map[string][]centercodesim.Ticket {
	all := map[string][]centercodesim.Ticket{}
	for _, t := range center.Tickets() {
		id, _ := t.Fields["deliveryId"].(string)
		all[id] = append(all[id], t)
	}
	return all
}
