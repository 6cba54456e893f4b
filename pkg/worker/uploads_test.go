package worker_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
)

// rendezvous counts concurrent uploads, and blocks the first ones until as many as awaited
// have arrived.
type rendezvous struct {
	http.RoundTripper
	await int

	mu        sync.Mutex
	now, most int
	there     chan struct{}
}

func (c *rendezvous) RoundTrip(r *http.Request) (*http.Response, error) {
	if !strings.Contains(r.URL.Path, "/files/") {
		return c.RoundTripper.RoundTrip(r)
	}
	c.mu.Lock()
	c.now++
	if c.most = max(c.most, c.now); c.now == c.await {
		close(c.there)
		c.await = -1
	}
	c.mu.Unlock()
	select {
	case <-c.there:
	case <-r.Context().Done():
	}
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.now--
	}()
	return c.RoundTripper.RoundTrip(r)
}

// TestUploadsAtOnce checks that no more uploads run at once than allowed, and that each
// gets its turn.
func TestUploadsAtOnce(t *testing.T) {
	for _, tc := range []struct{ uploads, want int }{{1, 1}, {2, 2}, {0, 6}} {
		w := newWorld(t, parkRoute)
		c := &rendezvous{await: tc.want, there: make(chan struct{})}
		w.uploads = tc.uploads
		w.through = func(next http.RoundTripper) http.RoundTripper {
			c.RoundTripper = next
			return c
		}
		var ids []string
		for n := range 6 {
			ids = append(ids, w.send(feedback(n+1)))
		}
		proc := w.start(nil)
		messages := w.receive(w.work)
		response, err := proc.handler.Handle(t.Context(), eventOf(messages))
		if err != nil || len(response.BatchItemFailures) > 0 || len(messages) != 6 || c.most != tc.want {
			t.Errorf("%d uploads: %d at once, want %d; %d messages, %v, %v", tc.uploads, c.most, tc.want, len(messages), response, err)
		}
		for _, id := range ids {
			if tickets := w.tickets(id); len(tickets) != 1 || len(tickets[0].Files) == 0 {
				t.Errorf("%d uploads: %s has %d tickets, or one without its files", tc.uploads, id, len(tickets))
			}
		}
	}
}
