package deadletter

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"fairbridge/pkg/ledger"
	"fairbridge/pkg/queue"
)

// How often the ledger is read: soon at first, then less often.
const (
	firstLook = 100 * time.Millisecond
	lastLook  = 2 * time.Second
)

// End is how a replayed delivery ended.
type End struct {
	DeliveryID string
	// Ended is false if it did not end in time.
	Ended bool
	// Completed means that it is done, with the ticket TicketID if its id is known.
	Completed bool
	TicketID  string
	// Fault is the last one of a delivery that is dead again.
	Fault ledger.Fault
}

// Follow waits until each delivery has ended, at most for limit, and returns how, in the
// order of the cases. The error is the ledger's, if its last read failed.
func (d *Manager) Follow(ctx context.Context, cases []Case, limit time.Duration) ([]End, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	ends := make([]End, len(cases))
	going := cases
	var err error
	for pause := firstLook; ; pause = min(2*pause, lastLook) {
		known, lookErr := d.entries(ctx, deliveryIDs(going))
		if ctx.Err() == nil { // otherwise it only says that the time is up
			err = lookErr
		}
		going = nil
		for i, c := range cases {
			if !ends[i].Ended {
				ends[i] = endOfCase(c, known[c.DeliveryID])
			}
			if !ends[i].Ended {
				going = append(going, c)
			}
		}
		if len(going) == 0 {
			return ends, err
		}
		d.progress("ended", len(cases)-len(going), len(cases))
		select { // until the end of the limit, unlike sleep.For
		case <-time.After(pause):
		case <-ctx.Done():
			return ends, err
		}
	}
}

// endOfCase returns how a delivery ended, if it has.
func endOfCase(c Case, e ledger.Entry) End {
	end := End{DeliveryID: c.DeliveryID}
	switch {
	case e.State == ledger.Completed:
		end.Ended, end.Completed, end.TicketID = true, true, e.TicketID
	case e.State == ledger.Dead && e.Generation > c.Generation && e.Last != nil:
		end.Ended, end.Fault = true, *e.Last
	}
	return end
}

func deliveryIDs(cases []Case) []string {
	ids := make([]string, len(cases))
	for i, c := range cases {
		ids[i] = c.DeliveryID
	}
	return ids
}

// Tally counts how deliveries ended.
type Tally struct {
	Completed int `json:"completed"`
	// Again counts those that are dead again, by reason.
	Again map[queue.Reason]int `json:"again,omitempty"`
	// Going counts those that did not end in time.
	Going int `json:"going"`
}

// TallyOf counts ends.
func TallyOf(ends []End) Tally {
	t := Tally{Again: map[queue.Reason]int{}}
	for _, e := range ends {
		switch {
		case !e.Ended:
			t.Going++
		case e.Completed:
			t.Completed++
		default:
			t.Again[queue.Reason(e.Fault.Reason)]++
		}
	}
	return t
}

// String describes the tally.
func (t Tally) String() string {
	text := fmt.Sprintf("%d completed", t.Completed)
	again := 0
	var reasons []string
	for _, r := range slices.Sorted(maps.Keys(t.Again)) {
		again += t.Again[r]
		reasons = append(reasons, fmt.Sprintf("%d %s", t.Again[r], r))
	}
	if again > 0 {
		text += fmt.Sprintf(", %d dead again (%s)", again, strings.Join(reasons, ", "))
	}
	if t.Going > 0 {
		text += fmt.Sprintf(", %d still on their way", t.Going)
	}
	return text
}
