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
	// wakeSpread is over how long those are spread at most that may go at the same
	// time.
	wakeSpread = time.Minute
)

// waker wakes what the worker holds: all of a project's deliveries when it is
// well again, or is not paused any more, and one of them when it may be tried.
// On AWS they come by themselves.
type waker struct {
	next     worker.Reporter
	health   *breaker.Breaker
	home     *embedded.Home
	projects []string
	log      *slog.Logger
	// interval is how often it is looked whether what is held may go.
	interval time.Duration

	mu    sync.Mutex
	held  map[string]map[string]receipt // by project and message
	since map[string]time.Time          // of the hold, by project
}

// receipt is a receipt handle, and the queue that it is of.
type receipt struct{ queueURL, handle string }

// Report implements [worker.Reporter]: it hears what is held.
func (w *waker) Report(ctx context.Context, o worker.Outcome) {
	w.next.Report(ctx, o)
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, of := range w.held {
		delete(of, o.MessageID)
	}
	if o.Result != worker.Held {
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
		w.held[o.Hold.Project][message] = receipt{queueURL, handle}
	}
	w.since[o.Hold.Project] = o.Hold.Since
}

// Run wakes until ctx ends. What an earlier process held is held anew, so that it
// is known whose it is.
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

// wake wakes messages of either queue.
func (w *waker) wake(ctx context.Context, spread time.Duration, receipts []receipt) {
	handles := map[string][]string{}
	for _, r := range receipts {
		handles[r.queueURL] = append(handles[r.queueURL], r.handle)
	}
	for queueURL, some := range handles {
		w.complain(ctx, w.home.SQS.Wake(ctx, queueURL, spread, some...))
	}
}

// complain says what went wrong: what is held comes by itself, if later.
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

// spread is over how long a project's deliveries are spread that may go again: no
// longer than they could not.
func (w *waker) spread(project string) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return min(max(time.Since(w.since[project]), 0), wakeSpread)
}

// take takes up to n receipt handles of a project, all if n is negative.
func (w *waker) take(project string, n int) (receipts []receipt) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for message, r := range w.held[project] {
		if len(receipts) == n {
			break
		}
		receipts = append(receipts, r)
		delete(w.held[project], message)
	}
	return receipts
}
