package bridge

import (
	"context"
	"errors"
	"log/slog"
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
// whose attempt failed during the outage are woken with the others, but not to try the
// project: each attempt costs patience. On AWS they return on their own.
type waker struct {
	next     worker.Reporter
	health   *breaker.Breaker
	home     *embedded.Home
	projects []string
	log      *slog.Logger
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

// Run wakes messages until ctx ends. What an earlier process held is first received again,
// to find out its project.
func (w *waker) Run(ctx context.Context) error {
	for _, project := range w.projects {
		if well, _, err := w.health.Standing(ctx, project); err == nil && !well {
			w.complain(ctx, errors.Join(
				w.home.SQS.WakeAll(ctx, w.home.WorkQueueURL, wakeSpread), w.home.SQS.WakeAll(ctx, w.home.FilesQueueURL, wakeSpread)))
			break
		}
	}
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
				w.wake(ctx, w.spread(project), w.take(project, -1))
			case due:
				w.wake(ctx, 0, w.take(project, 1))
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

// take removes and returns up to n receipt handles of a project that may try it, or all of
// its receipt handles if n is negative.
func (w *waker) take(project string, n int) (receipts []receipt) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for message, r := range w.held[project] {
		if len(receipts) == n {
			break
		}
		if r.failed && n >= 0 {
			continue
		}
		receipts = append(receipts, r)
		delete(w.held[project], message)
	}
	return receipts
}
