package worker_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"fairbridge/pkg/ledger"
	"fairbridge/pkg/queue"
	testfairysim "fairbridge/pkg/testfairy/simulator"
	"fairbridge/pkg/worker"
)

// slowFiles are files of deliveries in the work queue that stop midway, at which point
// their time is up. No time passes.
type slowFiles struct {
	// silent sources do not even send a header.
	silent bool
	// pass makes files arrive.
	pass atomic.Bool

	mu  sync.Mutex
	end func()
}

// after replaces time.AfterFunc.
func (s *slowFiles) after(_ time.Duration, end func()) (stop func() bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.end = end
	return func() bool { return true }
}

// timeOut ends the time of the files in transit.
func (s *slowFiles) timeOut() {
	s.mu.Lock()
	end := s.end
	s.mu.Unlock()
	end()
}

// makeSlow makes TestFairy's files slow.
func (w *world) makeSlow(s *slowFiles) {
	w.slow = s
	w.serveAt("app.testfairy.com", func(rw http.ResponseWriter, r *http.Request) {
		if s.pass.Load() {
			w.testfairy.Handler().ServeHTTP(rw, r)
			return
		}
		if s.silent {
			s.timeOut()
		} else {
			whole := httptest.NewRecorder()
			w.testfairy.Handler().ServeHTTP(whole, r)
			for name := range whole.Header() {
				rw.Header().Set(name, whole.Header().Get(name))
			}
			rw.WriteHeader(whole.Code)
			_, _ = rw.Write(whole.Body.Bytes()[:whole.Body.Len()/2])
			_ = http.NewResponseController(rw).Flush()
		}
		<-r.Context().Done()
	})
	w.through = func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(r *http.Request) (*http.Response, error) {
			if strings.Contains(r.URL.Path, "/files/") && !s.pass.Load() {
				go s.timeOut() // while the upload waits for its file
			}
			return next.RoundTrip(r)
		})
	}
}

// TestHandOver checks that a delivery with a slow file is handed over when the file's time
// is up, and completed from the files queue.
func TestHandOver(t *testing.T) {
	for name, silent := range map[string]bool{"the upload stops midway": false, "the source is silent": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, parkRoute)
			w.makeSlow(&slowFiles{silent: silent})
			id := w.send(feedback(1))
			proc := w.start(nil)
			proc.handleWork()
			o := w.only(proc.outcomes)
			if o.Result != worker.HandedOver || o.TicketID == "" || o.Err != nil || w.count(w.work) != 0 || w.count(w.filesQueue) != 1 {
				t.Errorf("%d wait, %d files: %+v", w.count(w.work), w.count(w.filesQueue), o)
			}
			e := w.entry(id)
			if e.State != ledger.Created || e.Owner != "" || e.Attaching != "" || e.Waited != 0 || e.Last == nil || e.Tried[0].Decision != ledger.DecisionHandedOver {
				t.Errorf("entry %+v", e)
			}
			proc.outcomes = nil
			proc.handleFiles()
			if o := w.only(proc.outcomes); o.Result != worker.Created || !o.Files || o.Attachments != 1 || w.count(w.filesQueue) != 0 {
				t.Errorf("%d files wait: %+v", w.count(w.filesQueue), o)
			}
			w.files(id, "screenshot")
			w.checkInvariants(id)
		})
	}
}

// TestCompleteUploadIsAwaited checks that an upload whose last byte has been sent is not
// cancelled: the worker waits for its response.
func TestCompleteUploadIsAwaited(t *testing.T) {
	w := newWorld(t, parkRoute)
	w.slow = &slowFiles{}
	w.through = func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(r *http.Request) (*http.Response, error) {
			resp, err := next.RoundTrip(r)
			if strings.Contains(r.URL.Path, "/files/") {
				w.slow.timeOut() // Centercode has the file, but has not responded yet
			}
			return resp, err
		})
	}
	id := w.send(feedback(1))
	if o := w.only(w.once()); o.Result != worker.Created || w.count(w.filesQueue) != 0 {
		t.Errorf("outcome %+v", o)
	}
	w.files(id, "screenshot")
	w.checkInvariants(id)
}

// TestHandOverOfReplays checks that the message in the files queue carries its generation,
// even if the delivery never died, so that it becomes an old copy if the delivery dies
// meanwhile.
func TestHandOverOfReplays(t *testing.T) {
	for _, deaths := range []int{0, 1, 2} {
		w := newWorld(t, parkRoute)
		w.makeSlow(&slowFiles{})
		id := w.send(feedback(1))
		for range deaths {
			w.config = w.parse(strings.Replace(parkRoute, "event: feedback", "event: crash", 1))
			w.settle(nil)
			w.config = w.parse(parkRoute)
			w.makeSlow(w.slow)
			w.replayAll()
		}
		w.start(nil).handleWork()
		var handed []types.Message
		w.must(w.sqs.Peek(t.Context(), w.filesQueue, func(m types.Message) bool {
			handed = append(handed, m)
			return true
		}))
		if len(handed) != 1 {
			t.Fatalf("%d messages", len(handed))
		}
		got := queue.ParseDeadLetter(handed[0].MessageAttributes)
		if got.DeliveryID != id || got.Event != "feedback" || got.Generation != deaths || got.Replays != deaths ||
			aws.ToString(handed[0].MessageAttributes["generation"].StringValue) == "" {
			t.Errorf("after %d deaths: %+v", deaths, got)
		}
		w.settle(nil)
		w.files(id, "screenshot")
		w.checkInvariants(id)
	}
}

// TestHandOverIsRepeated checks that a redelivery from the work queue, before or after the
// files queue's copy, repeats nothing.
func TestHandOverIsRepeated(t *testing.T) {
	w := newWorld(t, parkRoute)
	w.makeSlow(&slowFiles{})
	id := w.send(feedback(1))
	proc := w.start(&plan{at: "sqs.DeleteMessage#1", form: fails})
	proc.handleWork()
	w.clock.Advance(16 * time.Minute)
	proc.handleWork()
	if n := w.count(w.filesQueue); n != 2 {
		t.Errorf("%d copies in the files queue", n)
	}
	outcomes := w.settle(nil)
	if len(outcomes) != 2 || outcomes[0].Result != worker.Created || outcomes[1].Result != worker.Duplicate {
		t.Errorf("outcomes %+v", outcomes)
	}
	w.files(id, "screenshot")
	w.checkInvariants(id)
}

// TestFilesAreNotHandedOverTwice checks that a delivery from the files queue is never
// handed over, and is retried there.
func TestFilesAreNotHandedOverTwice(t *testing.T) {
	w := newWorld(t, parkRoute)
	w.makeSlow(&slowFiles{})
	id := w.send(feedback(1))
	proc := w.start(nil)
	proc.handleWork()
	proc.outcomes = nil
	w.testfairy.Inject("/1.jpg", testfairysim.Fault{Status: 503, Times: 1})
	proc.handleFiles()
	if o := w.only(proc.outcomes); o.Result != worker.Retry || !o.Files || w.count(w.filesQueue) != 1 || w.count(w.work) != 0 {
		t.Errorf("outcome %+v", o)
	}
	w.settle(nil)
	w.files(id, "screenshot")
	w.checkInvariants(id)
}
