package worker_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"fairbridge/pkg/worker"
)

// slowSource serves size bytes, and advances the world's clock at every mebibyte.
func slowSource(w *world, size int64, perMiB time.Duration) http.HandlerFunc {
	return func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Length", strconv.FormatInt(size, 10))
		rw.Header().Set("Content-Type", "application/zip")
		piece := make([]byte, 1<<20)
		for range size / int64(len(piece)) {
			if _, err := rw.Write(piece); err != nil {
				return
			}
			w.clock.Advance(perMiB)
		}
	}
}

// TestTooSlowForTheTimeLeft checks that a file which cannot arrive before the deadline is
// handed back long before it. The ticket and its other attachments stay, and a later
// attempt completes it.
func TestTooSlowForTheTimeLeft(t *testing.T) {
	const size = 128 << 20
	w := newWorld(t, parkRoute+"      - {from: \"https://slow.testfairy.com/slow.zip\", element: log}\n")
	perMiB := 20 * time.Second // 2,560 s in total
	served := make(chan struct{}, 2)
	w.serveAt("slow.testfairy.com", func(rw http.ResponseWriter, r *http.Request) {
		slowSource(w, size, perMiB)(rw, r)
		served <- struct{}{}
	})
	id := w.send(feedback(1))

	began := w.clock.Now()
	o := w.only(w.within(900 * time.Second))
	took := w.clock.Now().Sub(began)
	if o.Result != worker.HandedBack || o.Stage != "attach" || o.Attachments != 1 || !strings.Contains(o.Err.Error(), "bytes the file would take") {
		t.Errorf("outcome %+v", o)
	}
	// The network's buffers let the source run some MiB ahead.
	if took < 40*time.Second || took > 600*time.Second {
		t.Errorf("handed back after %v of 890 s", took)
	}
	if r := w.center.Requests(); r.File != 2 {
		t.Errorf("%d uploads", r.File)
	}
	w.files(id, "screenshot")

	<-served // it no longer advances the clock
	perMiB = time.Second
	w.clock.Advance(time.Minute)
	if o := w.only(w.within(900 * time.Second)); o.Result != worker.Created || o.AttachmentBytes != size {
		t.Errorf("outcome %+v", o)
	}
}

// within is once with a deadline.
func (w *world) within(d time.Duration) []worker.Outcome {
	w.Helper()
	ctx, cancel := context.WithDeadline(w.Context(), w.clock.Now().Add(d))
	defer cancel()
	proc := w.start(nil)
	messages := w.receive(w.work)
	response, err := proc.handler.Handle(ctx, eventOf(messages))
	w.must(err)
	proc.deleteAllBut(messages, response)
	return proc.outcomes
}

// serveAt serves one of TestFairy's hosts with h.
func (w *world) serveAt(host string, h http.HandlerFunc) {
	server := httptest.NewServer(h)
	w.Cleanup(server.Close)
	w.config.Sources.Resolve[host] = server.URL
}
