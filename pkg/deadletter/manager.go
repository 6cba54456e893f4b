// Package deadletter is an operator's work on dead letters, in a folder or on a stack:
// selecting, showing, correcting, replaying, settling and dropping them, and moving them to
// another home. The command and the console call the same [Manager].
package deadletter

import (
	"context"
	"errors"
	"time"

	"fairbridge/pkg/home"
	"fairbridge/pkg/ledger"
)

// Config configures a [Manager].
type Config struct {
	// Home is the bridge whose dead letters are worked on. It must stay open.
	Home *home.Home
	// Progress, if set, is called with the progress of long work, from several goroutines.
	Progress func(what string, done, of int)
	// Now is the clock; the default is time.Now.
	Now func() time.Time
}

// Manager works on the dead letters of an open bridge, using its queues and ledger.
type Manager struct {
	home     *home.Home
	queue    *Queue
	ledger   *ledger.Ledger
	progress func(what string, done, of int)
	now      func() time.Time
}

// New returns a manager. An error is about c.
func New(c Config) (*Manager, error) {
	d := &Manager{home: c.Home, progress: c.Progress, now: c.Now}
	if d.progress == nil {
		d.progress = func(string, int, int) {}
	}
	if d.now == nil {
		d.now = time.Now
	}
	var err error
	d.ledger, err = ledger.New(ledger.Config{Store: c.Home.Ledger, Now: d.now, Who: c.Home.Operator})
	if err != nil {
		return nil, err
	}
	d.queue = &Queue{
		API: c.Home.SQS, URL: c.Home.DeadLetterQueueURL, WorkURL: c.Home.WorkQueueURL,
		Exact:    !c.Home.OnAWS(),
		Progress: func(taken, of int) { d.progress("reading dead letters", taken, of) },
		Sends:    d.writeDown,
	}
	return d, nil
}

// lookups is how many ledger entries are read at the same time.
const lookups = 10

// entries reads the ledger entries of deliveries. Unknown ones are left out. After an error
// it returns the first one, with the entries that could be read.
func (d *Manager) entries(ctx context.Context, ids []string) (map[string]ledger.Entry, error) {
	var first error
	found := make(map[string]ledger.Entry, len(ids))
	sideBySide(lookups, ids, func(id string) func() {
		e, err := d.ledger.Entry(ctx, id)
		return func() {
			switch {
			case err == nil:
				found[id] = e
			case first == nil && !errors.Is(err, ledger.ErrNotFound):
				first = err // the others are still read
			}
		}
	})
	return found, first
}
