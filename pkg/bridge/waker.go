package bridge

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"fairbridge/pkg/breaker"
	"fairbridge/pkg/embedded"
	"fairbridge/pkg/worker"
)

const (
	wakeInterval = 2 * time.Second
	// wakeSpread is the maximum time over which messages are spread that may run at the
	// same time.
	wakeSpread = time.Minute
)

// waker wakes messages that the worker holds: all of a project's deliveries when it has
// recovered, or is no longer paused, and one of them when the project may be tried. Those
// whose attempt failed during the outage are woken with the others, and tried if no other is
// there. On AWS they return on their own.
type waker struct {
	next   worker.Reporter
	health *breaker.Breaker
	home   *embedded.Home
	log    *slog.Logger
	// interval is how often held messages are checked.
	interval time.Duration

	mu    sync.Mutex
	held  map[string]map[string]receipt // by project and message
	since map[string]time.Time          // when holding began, by project
}

// receipt is a receipt handle and its queue. failed means that the message waits after an
// attempt of its own.
type receipt struct {
	queueURL, handle string
	failed           bool
}

// Report implements [worker.Reporter]: it learns what is held.
func (w *waker) Report(ctx context.Context, o worker.Outcome) {
	w.next.Report(ctx, o)
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, of := range w.held {
		delete(of, o.MessageID)
	}
	if len(o.Receipts) == 0 {
		return
	}
	if w.held[o.Hold.Project] == nil {
		w.held[o.Hold.Project] = map[string]receipt{}
	}
	queueURL := w.home.WorkQueueURL
	if o.Files {
		queueURL = w.home.FilesQueueURL
	}
	for message, handle := range o.Receipts {
		w.held[o.Hold.Project][message] = receipt{queueURL, handle, o.Result != worker.Held}
	}
	w.since[o.Hold.Project] = o.Hold.Since
}

// Run wakes messages until ctx ends. What an earlier process held or retried is first
// received again: nobody knows why it waits, and the reason may have gone since.
func (w *waker) Run(ctx context.Context) error {
	w.complain(ctx, errors.Join(
		w.home.SQS.WakeAll(ctx, w.home.WorkQueueURL, wakeSpread), w.home.SQS.WakeAll(ctx, w.home.FilesQueueURL, wakeSpread)))
	every := time.NewTicker(w.interval)
	defer every.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-every.C:
		}
		for _, project := range w.waiting() {
			well, due, err := w.health.Standing(ctx, project)
			switch {
			case err != nil:
				w.complain(ctx, err)
			case well:
				w.wake(ctx, w.spread(project), w.takeAll(project))
			case due:
				w.wake(ctx, 0, w.takeOne(project))
			}
		}
	}
}

// wake wakes messages of both queues.
func (w *waker) wake(ctx context.Context, spread time.Duration, receipts []receipt) {
	handles := map[string][]string{}
	for _, r := range receipts {
		handles[r.queueURL] = append(handles[r.queueURL], r.handle)
	}
	for queueURL, some := range handles {
		w.complain(ctx, w.home.SQS.Wake(ctx, queueURL, spread, some...))
	}
}

// complain logs an error: held messages return on their own, if later.
func (w *waker) complain(ctx context.Context, err error) {
	if err != nil && ctx.Err() == nil {
		w.log.Warn("what is held could not be woken", "err", err)
	}
}

func (w *waker) waiting() (projects []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for project, receipts := range w.held {
		if len(receipts) > 0 {
			projects = append(projects, project)
		}
	}
	return projects
}

// spread returns the time over which a project's deliveries are spread when they may run
// again: no longer than they were held.
func (w *waker) spread(project string) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return min(max(time.Since(w.since[project]), 0), wakeSpread)
}

// takeAll removes and returns all receipt handles of a project.
func (w *waker) takeAll(project string) []receipt {
	w.mu.Lock()
	defer w.mu.Unlock()
	receipts := slices.Collect(maps.Values(w.held[project]))
	clear(w.held[project])
	return receipts
}

// takeOne removes and returns the receipt handle of the message that is to try a project.
// One that has not failed itself comes first: the failure may be the delivery's.
func (w *waker) takeOne(project string) []receipt {
	w.mu.Lock()
	defer w.mu.Unlock()
	var message string
	for id, r := range w.held[project] {
		if message = id; !r.failed {
			break
		}
	}
	r, found := w.held[project][message]
	if !found {
		return nil
	}
	delete(w.held[project], message)
	return []receipt{r}
}
