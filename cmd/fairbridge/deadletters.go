package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"fairbridge/pkg/deadletter"
	"fairbridge/pkg/home"
	"fairbridge/pkg/ledger"
)

func newDeadLetters(std streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "dlq",
		Short: "Look at dead letters, mend them, and replay them",
		Long: `A dead letter is a delivery that needs a person. Begin with 'list', read what
'show' says of one, mend the cause, and 'replay'. docs/dead-letters.md has a
recipe for each reason. The exit code is 0 if all was done, 1 if something was
left, 2 if the call was wrong.`,
		Args: noCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(
		newDeadLettersList(std), newDeadLettersShow(std), newDeadLettersReplay(std),
		newDeadLettersDrop(std), newDeadLettersExport(std), newDeadLettersImport(std),
	)
	return cmd
}

// desk is where dead letters are worked on: an open bridge's queues and ledger.
type desk struct {
	at     *place
	target *home.Home
	queue  *deadletter.Queue
	ledger *ledger.Ledger
	std    streams
	meter  *meter
}

func openDesk(ctx context.Context, at *place, std streams) (*desk, error) {
	t, err := at.open(ctx)
	if err != nil {
		return nil, err
	}
	d := &desk{
		at: at, target: t, std: std, meter: newMeter(std.err),
		queue:  &deadletter.Queue{API: t.SQS, URL: t.DeadLetterQueueURL, WorkURL: t.WorkQueueURL},
		ledger: ledger.New(t.Ledger, time.Now, ledger.DefaultLease),
	}
	d.queue.Progress = func(taken, of int) { d.meter.show("reading dead letters", taken, of) }
	return d, nil
}

// withDesk runs work at an open desk.
func withDesk(ctx context.Context, at *place, std streams, work func(*desk) error) error {
	d, err := openDesk(ctx, at, std)
	if err != nil {
		return err
	}
	return errors.Join(work(d), d.target.Close())
}

// say tells a person something that is no result.
func (d *desk) say(format string, args ...any) {
	d.meter.clear()
	fmt.Fprintf(d.std.err, "fairbridge: "+format+"\n", args...)
}

// lookups is how many ledger entries are asked for at once.
const lookups = 10

// entries asks the ledger for deliveries. What it does not know is left out. Of
// the errors the first is returned, with what could be had.
func (d *desk) entries(ctx context.Context, ids []string) (map[string]ledger.Entry, error) {
	var mu sync.Mutex
	var first error
	found := make(map[string]ledger.Entry, len(ids))
	next := make(chan string)
	var askers sync.WaitGroup
	for range min(lookups, len(ids)) {
		askers.Go(func() {
			for id := range next {
				e, err := d.ledger.Entry(ctx, id)
				mu.Lock()
				switch {
				case err == nil:
					found[id] = e
				case first == nil && !errors.Is(err, ledger.ErrNotFound):
					first = err
				}
				mu.Unlock()
			}
		})
	}
	for _, id := range ids {
		next <- id
	}
	close(next)
	askers.Wait()
	return found, first
}
