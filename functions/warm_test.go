package functions_test

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"fairbridge/functions/lambdatest"
)

// connections counts a server's open connections.
type connections struct {
	mu   sync.Mutex
	open map[net.Conn]bool
	none chan struct{} // receives a value whenever the last one closes
}

func (c *connections) changed(conn net.Conn, state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if state == http.StateNew {
		c.open[conn] = true
		return
	}
	if state != http.StateClosed {
		return
	}
	if delete(c.open, conn); len(c.open) == 0 {
		select {
		case c.none <- struct{}{}:
		default:
		}
	}
}

// testWarm takes ten feedbacks through one process of each function, as Lambda does: frozen
// in between, with AWS's connections closed by the server. The last freeze is long enough
// that Centercode has closed its idle connections too. None of that may look like a lost
// response or count as an attempt.
func testWarm(t *testing.T, ingestBinary, workerBinary string) {
	w := newWorld(t)
	kept := &connections{open: map[net.Conn]bool{}, none: make(chan struct{}, 1)}
	centercode := httptest.NewUnstartedServer(w.centercode.Handler())
	centercode.Config.IdleTimeout = 5 * time.Second // Apache's and Node's
	centercode.Config.ConnState = kept.changed
	centercode.Start()
	t.Cleanup(centercode.Close)
	w.env["FAIRBRIDGE_CENTERCODE_BASE_URL"] = centercode.URL

	ingest := lambdatest.Start(t, ingestBinary, w.env)
	worker := lambdatest.Start(t, workerBinary, w.env)
	const times = 10
	for i := range times {
		if i > 0 {
			ingest.Freeze(t)
			worker.Freeze(t)
			w.closeConnections()
			if i == times-1 {
				<-kept.none
			}
			ingest.Thaw(t)
			worker.Thaw(t)
		}
		res := webhook(t, ingest, fmt.Appendf(nil, `{"event":"feedback","text":"number %d","email":"alice@corporation.com"}`, i))
		if res.StatusCode != 202 {
			t.Fatalf("answer %d %s\n%s", res.StatusCode, res.Body, ingest.Output())
		}
		if received, failed := w.deliver(t, worker); received != 1 || len(failed) != 0 {
			t.Fatalf("%d records, %v failed\n%s", received, failed, worker.Output())
		}
	}
	if n := len(w.centercode.Tickets()); n != times {
		t.Errorf("%d tickets, want %d\n%s", n, times, worker.Output())
	}
	for _, line := range logLines(t, worker) {
		if line["decision"] != "created" || line["attempt"] != 1.0 {
			t.Errorf("not at once: %v", line)
		}
	}
}
