package bridge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	centercodesim "fairbridge/pkg/centercode/simulator"
	"fairbridge/pkg/embedded"
	"fairbridge/pkg/home"
	"fairbridge/pkg/ingest"
	"fairbridge/pkg/ledger"
	"fairbridge/pkg/mapping"
	"fairbridge/pkg/secrets"
	"fairbridge/pkg/worker"
)

// full reports whether to run all three days with ten thousand feedbacks, which takes
// minutes instead of seconds.
func full() bool { return os.Getenv("FAIRBRIDGE_WEATHER") == "full" }

// scaled returns usual, or whole for a full run.
func scaled[N any](usual, whole N) N {
	if full() {
		return whole
	}
	return usual
}

const (
	// concurrency is the number of batches processed at once.
	concurrency = 5
	// tick is how often an embedded queue and its waker poll: not ten times a second, so
	// that days pass quickly.
	tick = 10 * time.Second
	// longestHold is the longest time that a message is held.
	longestHold = 15 * time.Minute
)

const testRoutes = `centercode: {baseUrl: "http://127.0.0.1:9"}
routes:
  - match: {event: feedback}
    project: DEMO
    source: testfairy
    fields: {summary: "{{ .text }}", deliveryId: "{{ .deliveryId }}"}
%[1]s  - match: {event: crash}
    project: BROKEN
    source: testfairy
    fields: {summary: "{{ .text }}", deliveryId: "{{ .deliveryId }}"}
%[1]s`

const screenshots = "    attachments: [{from: \"{{ .screenshotUrl }}\", element: screenshot}]\n"

const lookUp = "    lookup: {package: deliveries, column: Delivery ID, ticketColumn: Ticket ID, settle: 1m}\n"

// site configures a testBridge.
type site struct {
	// stack selects a home like that of AWS, see lambda, instead of a folder.
	stack bool
	// lookedUp configures a look-up.
	lookedUp bool
	// fresh starts a new worker process for each batch.
	fresh bool
	// inFlight is the queue's limit of messages in flight; 0 is none.
	inFlight int
	// sources serves the screenshots; nil if there are none.
	sources worker.Sources
}

// homes are the two kinds of home that a bridge has.
var homes = map[string]site{"folder": {}, "stack": {stack: true}}

// testBridge is a complete bridge in front of an upstream: listener, queue, worker and
// simulator.
type testBridge struct {
	*testing.T
	site
	upstream *upstream
	center   *centercodesim.Simulator
	config   *mapping.Config
	folder   string
	home     *embedded.Home
	bridge   *Bridge
	queue    *dueQueue
	files    *dueQueue // the files queue; nil without screenshots
	lambda   *lambda
	token    string
	more     string // more fields of each webhook
	stop     func()
	sent     int

	mu      sync.Mutex
	results map[worker.Result]int
	tickets []time.Time
	// took holds how long each feedback took to become a ticket, by project.
	took   map[string][]time.Duration
	warned map[string]int
}

func newTestBridge(t *testing.T, at site) *testBridge {
	t.Helper()
	center, err := centercodesim.New(centercodesim.Config{APIKeys: []string{"key"}, PageRows: 1000})
	s := &testBridge{
		T: t, site: at, upstream: &upstream{}, center: center, folder: t.TempDir(),
		results: map[worker.Result]int{}, warned: map[string]int{}, took: map[string][]time.Duration{},
	}
	s.must(err)
	s.upstream.center = center.Handler()
	route := ""
	if at.lookedUp {
		route = lookUp
	}
	if at.sources != nil {
		route += screenshots
	}
	s.config, err = mapping.Parse("fairbridge.yaml", fmt.Appendf(nil, testRoutes, route))
	s.must(err)
	s.inFolder(func(h *home.Home) error {
		s.token, err = h.GenerateToken(t.Context())
		return errors.Join(err, h.PutSecret(t.Context(), secrets.CentercodeAPIKey, "key"))
	})
	s.start()
	return s
}

// inFolder opens the folder's home while no bridge runs there.
func (s *testBridge) inFolder(do func(*home.Home) error) {
	s.Helper()
	folder, err := embedded.Open(s.Context(), embedded.Config{Folder: s.folder})
	s.must(err)
	s.must(errors.Join(do(home.Folder(folder)), folder.Close()))
}

// start starts the bridge.
func (s *testBridge) start() {
	s.Helper()
	at, config := s.site, s.config
	ctx, cancel := context.WithCancel(s.Context())
	log := slog.New(slog.NewTextHandler(s.Output(), &slog.HandlerOptions{Level: slog.LevelError}))
	var err error
	s.home, err = embedded.Open(ctx, embedded.Config{Folder: s.folder})
	s.must(err)
	s.bridge = &Bridge{log: log, home: s.home}
	s.must(s.bridge.wire(ctx, Config{
		Mapping: config, Concurrency: concurrency, Ingested: discard{}, Worked: s, Log: log, centercode: &http.Client{Transport: s.upstream}, sources: at.sources,
	}))
	s.home.SQS.Moved = func(id string, receives int64) { s.Errorf("the queue gave %s up after %d receives", id, receives) }
	s.queue = newDueQueue(s.home, s.home.WorkQueueURL, at.inFlight)
	work, files := s.bridge.pollers[0], s.bridge.pollers[1]
	work.SQS = s.queue
	var running sync.WaitGroup
	if at.stack {
		s.lambda = newLambda(s, config)
		work.Handler, files.Handler, files.MaximumConcurrency = s.lambda.handle, s.lambda.handle, concurrency
	} else {
		s.queue.atMost, s.bridge.waker.interval = tick, tick
		running.Go(func() { s.must(s.bridge.waker.Run(ctx)) })
	}
	running.Go(func() { s.must(work.Run(ctx)) })
	if at.sources != nil {
		s.files = newDueQueue(s.home, s.home.FilesQueueURL, 0)
		files.SQS = s.files
		running.Go(func() { s.must(files.Run(ctx)) })
	}
	s.stop = func() {
		cancel()
		running.Wait()
		s.must(s.home.Close())
	}
}

func (s *testBridge) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// Report implements [worker.Reporter].
func (s *testBridge) Report(_ context.Context, o worker.Outcome) {
	s.queue.notify()
	if s.files != nil {
		s.files.notify()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.results[o.Result]++
	if o.Result == worker.Created {
		s.tickets = append(s.tickets, time.Now())
		s.took[string(o.Kind)] = append(s.took[string(o.Kind)], o.Age+o.Took)
	}
	if o.Warning != nil {
		s.warned[o.Warning.Error()]++
	}
}

// counts returns the number of outcomes so far, by result.
func (s *testBridge) counts() map[worker.Result]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.results)
}

// times returns how long each event of a kind took to become a ticket, so far.
func (s *testBridge) times(kind string) []time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.took[kind])
}

type discard struct{}

func (discard) Report(context.Context, ingest.Outcome) {}

// send sends webhooks through the listener.
func (s *testBridge) send(n int) {
	s.Helper()
	s.sendEvent("feedback", n)
}

func (s *testBridge) sendEvent(event string, n int) {
	s.Helper()
	for range n {
		s.sent++
		body := fmt.Sprintf(`{"event":%q,"text":"feedback %d"%s}`, event, s.sent, s.more)
		rec := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodPost, "/webhooks/testfairy?"+url.Values{"token": {s.token}}.Encode(), strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		s.bridge.server.Handler.ServeHTTP(rec, r)
		if rec.Code != http.StatusAccepted {
			s.Fatalf("webhook %d: %d %s", s.sent, rec.Code, rec.Body)
		}
	}
	s.queue.notify()
}

// sendOver sends webhooks evenly spread over a period.
func (s *testBridge) sendOver(n int, over time.Duration) {
	s.Helper()
	for range n {
		s.send(1)
		time.Sleep(over / time.Duration(n))
	}
}

// entries returns the ledger entry of each delivery.
func (s *testBridge) entries() (all []ledger.Entry) {
	s.Helper()
	records, err := s.home.Ledger.Recent(s.Context(), -1)
	s.must(err)
	for _, r := range records {
		if ledger.IsDelivery(r.ID) {
			e, err := ledger.Read(r)
			s.must(err)
			all = append(all, e)
		}
	}
	return all
}

// check checks the promise: each feedback became one ticket, or one of at most so many dead
// letters because a response was lost.
func (s *testBridge) check(ambiguous int) {
	s.Helper()
	made := map[string]int{}
	for _, t := range s.center.Tickets() {
		made[fmt.Sprint(t.Fields["deliveryId"])]++
	}
	for id, n := range made {
		if n > 1 {
			s.Errorf("delivery %s has become %d tickets", id, n)
		}
	}
	ended, dead := 0, 0
	for _, e := range s.entries() {
		switch {
		case e.State == ledger.Dead && e.Last.Reason == "ambiguous":
			dead++
		case e.State == ledger.Completed && made[e.DeliveryID] == 1:
			ended++
		default:
			s.Errorf("delivery %s ended as %s, with %d tickets: %+v", e.DeliveryID, e.State, made[e.DeliveryID], e.Last)
		}
	}
	if ended+dead != s.sent || dead > ambiguous {
		s.Errorf("of %d feedbacks %d are tickets, %d dead letters (at most %d)", s.sent, ended, dead, ambiguous)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for warning, n := range s.warned {
		s.Errorf("%d times: %s", n, warning)
	}
	s.Logf("%d feedbacks: %d tickets, %d ambiguous; %v; %d requests", s.sent, ended, dead, s.results, s.upstream.between(time.Time{}, time.Now()))
}

// returned reports how soon tickets were created once Centercode was back, and checks the
// first and the last against these bounds.
func (s *testBridge) returned(back time.Time, firstWithin, lastWithin time.Duration) {
	s.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	var first, last time.Duration
	for _, at := range s.tickets {
		if after := at.Sub(back); after > 0 {
			last = after
			if first == 0 {
				first = after
			}
		}
	}
	s.Logf("the first ticket %s after Centercode is back, the last %s", first.Round(time.Second), last.Round(time.Second))
	if first == 0 || first > firstWithin || last > lastWithin {
		s.Errorf("the first ticket came %s after Centercode was back, at most %s; the last %s, at most %s", first, firstWithin, last, lastWithin)
	}
}

// clears makes Centercode work again, waits until everything held has become tickets, and
// checks how soon against the promise. A probe can take ten seconds, and the next one
// follows a minute later. In a folder the first ticket is created then, and the others are
// spread over a minute. On a stack the next message to return does the probe, and the last
// one returns after its longest wait; a minute is left for processing.
func (s *testBridge) clears(repair func()) {
	s.Helper()
	waiting := s.queue.depth(s.Context())
	repair()
	back := time.Now()
	probe := 70 * time.Second
	first, last := probe+2*tick, probe+time.Minute+4*tick
	if s.stack {
		// Waits end at random, so the gap until the next one is sometimes longer than the
		// mean: five times as long in one of a hundred cases.
		first = probe + 5*longestHold/time.Duration(max(waiting, 1)) + s.queue.atLeast
		last = first + longestHold + time.Minute
	}
	time.Sleep(last + time.Minute)
	s.returned(back, first, last)
	s.Logf("%d waited: their waits end every %s on average", waiting, (longestHold / time.Duration(max(waiting, 1))).Round(time.Second))
}
