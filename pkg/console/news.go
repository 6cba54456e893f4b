package console

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// news notifies open pages that something may have changed, so that they refresh. It checks
// only while a page is open.
type news struct {
	console *Console
	wake    chan struct{}

	mu        sync.Mutex
	listeners map[chan struct{}]bool
}

const (
	// How often the bridge is checked: reading a folder's file costs nothing, a stack's
	// queues cost calls to AWS.
	lookAtFolder = time.Second
	lookAtStack  = 10 * time.Second
	// refreshed is how long a page shows "2 min ago" before it is refreshed in any case.
	refreshed = 30 * time.Second
)

func newNews(s *Console) *news {
	return &news{console: s, wake: make(chan struct{}, 1), listeners: map[chan struct{}]bool{}}
}

func (n *news) listen() (heard chan struct{}, end func()) {
	heard = make(chan struct{}, 1)
	n.mu.Lock()
	n.listeners[heard] = true
	n.mu.Unlock()
	select {
	case n.wake <- struct{}{}:
	default:
	}
	return heard, func() {
		n.mu.Lock()
		delete(n.listeners, heard)
		n.mu.Unlock()
	}
}

// tell makes every open page refresh.
func (n *news) tell() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for heard := range n.listeners {
		select {
		case heard <- struct{}{}:
		default: // it has not looked since the last one
		}
	}
}

func (n *news) run(ctx context.Context) {
	every := lookAtFolder
	if n.console.Home.OnAWS() {
		every = lookAtStack
	}
	last := ""
	for {
		n.mu.Lock()
		nobody := len(n.listeners) == 0
		n.mu.Unlock()
		var later <-chan time.Time
		if !nobody {
			if now := n.console.fingerprint(ctx); now != last {
				last = now
				n.console.snapshots.expire(false)
				n.tell()
			}
			later = time.After(every)
		}
		select {
		case <-later:
		case <-n.wake:
		case <-ctx.Done():
			return
		}
	}
}

// fingerprint changes with the contents of the pages, as far as that is cheap to detect.
func (s *Console) fingerprint(ctx context.Context) string {
	work, workErr := s.Home.WorkDepth(ctx)
	dead, deadErr := s.Home.Depth(ctx, s.Home.DeadLetterQueueURL)
	print := fmt.Sprint(work, workErr, dead, deadErr)
	if s.Home.OnAWS() {
		return print // its whole ledger would have to be read
	}
	last, err := s.Home.History.Recent(ctx, 1)
	for _, r := range last {
		print += fmt.Sprint(r.ID, r.Version)
	}
	return print + fmt.Sprint(err)
}

// stream sends an open page's server-sent events.
func (s *Console) stream(w http.ResponseWriter, r *http.Request) error {
	heard, end := s.news.listen()
	defer end()
	w.Header().Set("Content-Type", "text/event-stream")
	out := http.NewResponseController(w)
	tick := time.NewTicker(refreshed)
	defer tick.Stop()
	for said := ": hello\n\n"; ; said = "data: look\n\n" {
		if err := out.SetWriteDeadline(time.Now().Add(grace)); err != nil {
			return err
		}
		if _, err := w.Write([]byte(said)); err != nil {
			return nil // the browser has gone
		}
		if err := out.Flush(); err != nil {
			return nil
		}
		select {
		case <-heard:
		case <-tick.C:
		case <-r.Context().Done():
			return nil
		case <-s.running.Done():
			return nil
		}
	}
}
