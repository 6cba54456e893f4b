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

	mu   sync.Mutex
	held map[string]heldMessage // by the message's id
}

// heldMessage is a message that waits for its project to recover.
type heldMessage struct {
	project          string
	since            time.Time // when holding began
	queueURL, handle string
	failed           bool // it waits after an attempt of its own
}

// Report implements [worker.Reporter]: it learns what is held.
func (w *waker) Report(ctx context.Context, o worker.Outcome) {
	w.next.Report(ctx, o)
	queueURL := w.home.WorkQueueURL
	if o.Files {
		queueURL = w.home.FilesQueueURL
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.held, o.MessageID)
	for message, handle := range o.Receipts {
		w.held[message] = heldMessage{o.Hold.Project, o.Hold.Since, queueURL, handle, o.Result != worker.Held}
	}
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
				w.wake(ctx, wakeSpread, w.takeAll(project))
			case due:
				w.wake(ctx, 0, w.takeOne(project))
			}
		}
	}
}

// wake wakes messages of both queues, spread over at most spread, and no longer than they
// were held.
func (w *waker) wake(ctx context.Context, spread time.Duration, messages []heldMessage) {
	handles := map[string][]string{}
	for _, m := range messages {
		handles[m.queueURL] = append(handles[m.queueURL], m.handle)
		spread = min(spread, max(time.Since(m.since), 0))
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

func (w *waker) waiting() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	projects := map[string]bool{}
	for _, m := range w.held {
		projects[m.project] = true
	}
	return slices.Collect(maps.Keys(projects))
}

// takeAll removes and returns all messages of a project.
func (w *waker) takeAll(project string) (all []heldMessage) {
	w.mu.Lock()
	defer w.mu.Unlock()
	maps.DeleteFunc(w.held, func(_ string, m heldMessage) bool {
		if m.project == project {
			all = append(all, m)
		}
		return m.project == project
	})
	return all
}

// takeOne removes and returns the message that is to try a project. One that has not failed
// itself comes first: the failure may be the delivery's.
func (w *waker) takeOne(project string) []heldMessage {
	w.mu.Lock()
	defer w.mu.Unlock()
	message := ""
	for id, m := range w.held {
		if m.project != project {
			continue
		}
		if message = id; !m.failed {
			break
		}
	}
	m, found := w.held[message]
	if !found {
		return nil
	}
	delete(w.held, message)
	return []heldMessage{m}
}
