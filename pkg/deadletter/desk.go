// Package deadletter is an operator's work on dead letters, in a folder or on a
// stack: to select and show them, to correct, replay, settle and drop them, and to
// carry them to another home. The command and other front ends call the same [Desk].
package deadletter

import (
	"context"
	"errors"
	"sync"
	"time"

	"fairbridge/pkg/home"
	"fairbridge/pkg/ledger"
)

// Config is what a [Desk] needs.
type Config struct {
	// Home is the bridge whose dead letters are worked on. It stays open as long
	// as the desk is in use.
	Home *home.Home
	// Progress, if it is set, is told how far something got that may take long.
	// Several goroutines call it.
	Progress func(what string, done, of int)
	// Who is the person at the desk, for the ledger's record of what people did; ""
	// for whom [home.Home.Operator] names.
	Who string
	// Now is the clock; the default is time.Now.
	Now func() time.Time
}

// Desk is where an operator works on dead letters, over the queues and the ledger
// of an open bridge.
type Desk struct {
	home     *home.Home
	queue    *Queue
	ledger   *ledger.Ledger
	progress func(what string, done, of int)
	now      func() time.Time
}

// New returns a desk. The error is about c.
func New(c Config) (*Desk, error) {
	d := &Desk{home: c.Home, progress: c.Progress, now: c.Now}
	if d.progress == nil {
		d.progress = func(string, int, int) {}
	}
	if d.now == nil {
		d.now = time.Now
	}
	var err error
	d.ledger, err = ledger.New(ledger.Config{Store: c.Home.Ledger, Now: d.now, Who: func(ctx context.Context) string {
		if c.Who != "" {
			return c.Who
		}
		return c.Home.Operator(ctx)
	}})
	if err != nil {
		return nil, err
	}
	d.queue = &Queue{
		API: c.Home.SQS, URL: c.Home.DeadLetterQueueURL, WorkURL: c.Home.WorkQueueURL,
		Progress: func(taken, of int) { d.progress("reading dead letters", taken, of) },
		Sends:    d.writeDown,
	}
	return d, nil
}

// lookups is how many ledger entries are asked for at once.
const lookups = 10

// entries asks the ledger for deliveries. What it does not know is left out. Of
// the errors the first is returned, with what could be had.
func (d *Desk) entries(ctx context.Context, ids []string) (map[string]ledger.Entry, error) {
	var mu sync.Mutex
	var first error
	found := make(map[string]ledger.Entry, len(ids))
	sideBySide(lookups, ids, func(id string) {
		e, err := d.ledger.Entry(ctx, id)
		mu.Lock()
		defer mu.Unlock()
		switch {
		case err == nil:
			found[id] = e
		case first == nil && !errors.Is(err, ledger.ErrNotFound):
			first = err // the others are asked all the same
		}
	})
	return found, first
}
