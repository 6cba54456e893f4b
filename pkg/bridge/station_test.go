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

// full reports whether the weather is to be that of the whole three days, with ten
// thousand feedbacks: some minutes instead of some seconds.
func full() bool { return os.Getenv("FAIRBRIDGE_WEATHER") == "full" }

// scaled is a number in the usual form, or in the full one.
func scaled[N any](usual, whole N) N {
	if full() {
		return whole
	}
	return usual
}

const (
	// concurrency is how many batches are worked on at once.
	concurrency = 5
	// tick is how often a folder's queue and waker look for what is due: not ten
	// times a second, so that days pass quickly.
	tick = 10 * time.Second
	// longestHold is for how long a message is held at most.
	longestHold = 15 * time.Minute
)

const weatherRoutes = `centercode: {baseUrl: "http://127.0.0.1:9"}
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

// site is where a station is.
type site struct {
	// stack is a home like AWS's: see lambda. Without it, it is a folder.
	stack bool
	// lookedUp has a look-up configured.
	lookedUp bool
	// fresh gives each batch a worker process of its own.
	fresh bool
	// inFlight is how many messages the queue hands out at most; 0 is any number.
	inFlight int
	// sources are where the screenshots come from; nil if there are none.
	sources worker.Sources
}

// homes are the two that a bridge lives in.
var homes = map[string]site{"folder": {}, "stack": {stack: true}}

// station is a whole bridge under a sky: listener, queue, worker and simulator.
type station struct {
	*testing.T
	site
	sky    *sky
	center *centercodesim.Simulator
	config *mapping.Config
	folder string
	home   *embedded.Home
	bridge *Bridge
	queue  *dueQueue
	files  *dueQueue // the files queue; nil without screenshots
	lambda *lambda
	token  string
	more   string // of a webhook's fields
	stop   func()
	sent   int

	mu      sync.Mutex
	results map[worker.Result]int
	tickets []time.Time
	// took is how long each feedback took to become a ticket, by the project.
	took   map[string][]time.Duration
	warned map[string]int
}

func newStation(t *testing.T, at site) *station {
	t.Helper()
	center, err := centercodesim.New(centercodesim.Config{APIKeys: []string{"key"}, PageRows: 1000})
	s := &station{
		T: t, site: at, sky: &sky{}, center: center, folder: t.TempDir(),
		results: map[worker.Result]int{}, warned: map[string]int{}, took: map[string][]time.Duration{},
	}
	s.must(err)
	s.sky.center = center.Handler()
	route := ""
	if at.lookedUp {
		route = lookUp
	}
	if at.sources != nil {
		route += screenshots
	}
	s.config, err = mapping.Parse("fairbridge.yaml", fmt.Appendf(nil, weatherRoutes, route))
	s.must(err)
	s.inFolder(func(h *home.Home) error {
		s.token, err = h.GenerateToken(t.Context())
		return errors.Join(err, h.PutSecret(t.Context(), secrets.CentercodeAPIKey, "key"))
	})
	s.start()
	return s
}

// inFolder does something in the folder while no bridge runs there.
func (s *station) inFolder(do func(*home.Home) error) {
	s.Helper()
	folder, err := embedded.Open(s.Context(), embedded.Config{Folder: s.folder})
	s.must(err)
	s.must(errors.Join(do(home.Folder(folder)), folder.Close()))
}

// start starts the bridge.
func (s *station) start() {
	s.Helper()
	at, config := s.site, s.config
	ctx, cancel := context.WithCancel(s.Context())
	log := slog.New(slog.NewTextHandler(s.Output(), &slog.HandlerOptions{Level: slog.LevelError}))
	var err error
	s.home, err = embedded.Open(ctx, embedded.Config{Folder: s.folder})
	s.must(err)
	s.bridge = &Bridge{log: log, home: s.home}
	s.must(s.bridge.wire(ctx, Config{
		Mapping: config, Concurrency: concurrency, Ingested: unheard{}, Worked: s, Log: log, centercode: &http.Client{Transport: s.sky}, sources: at.sources,
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

func (s *station) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// Report implements [worker.Reporter].
func (s *station) Report(_ context.Context, o worker.Outcome) {
	s.queue.ring()
	if s.files != nil {
		s.files.ring()
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

// counts returns how often there was each result so far.
func (s *station) counts() map[worker.Result]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.results)
}

// times returns how long each event of a kind took to become a ticket, so far.
func (s *station) times(kind string) []time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.took[kind])
}

type unheard struct{}

func (unheard) Report(context.Context, ingest.Outcome) {}

// send sends webhooks through the listener.
func (s *station) send(n int) {
	s.Helper()
	s.sendEvent("feedback", n)
}

func (s *station) sendEvent(event string, n int) {
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
	s.queue.ring()
}

// sendOver sends webhooks, evenly spread over a time.
func (s *station) sendOver(n int, over time.Duration) {
	s.Helper()
	for range n {
		s.send(1)
		time.Sleep(over / time.Duration(n))
	}
}

// entries returns what the ledger has of each delivery.
func (s *station) entries() (all []ledger.Entry) {
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

// check holds what came of it all against the promise: each feedback is one
// ticket, or one of at most so many dead letters of answers that were lost.
func (s *station) check(ambiguous int) {
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
	s.Logf("%d feedbacks: %d tickets, %d ambiguous; %v; %d requests", s.sent, ended, dead, s.results, s.sky.between(time.Time{}, time.Now()))
}

// returned reports how soon tickets were made when Centercode was back, and holds the
// first and the last against these bounds.
func (s *station) returned(back time.Time, firstWithin, lastWithin time.Duration) {
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

// clears makes Centercode work again, waits until what waits has become tickets, and holds
// how soon against the promise. A probe can be under way for ten seconds, and the next
// one comes a minute later. In a folder the first is made then, and the others are
// spread over a minute. On a stack whatever comes on its own does the probe, and the
// last comes after its longest wait; a minute is for what is worked on.
func (s *station) clears(fair func()) {
	s.Helper()
	waiting := s.queue.depth(s.Context())
	fair()
	back := time.Now()
	probe := 70 * time.Second
	first, last := probe+2*tick, probe+time.Minute+4*tick
	if s.stack {
		// Waits end at random, so that the gap until the next one is longer than the
		// mean gap, at times: five times so long, with one in a hundred.
		first = probe + 5*longestHold/time.Duration(max(waiting, 1)) + s.queue.atLeast
		last = first + longestHold + time.Minute
	}
	time.Sleep(last + time.Minute)
	s.returned(back, first, last)
	s.Logf("%d waited: their waits end every %s on average", waiting, (longestHold / time.Duration(max(waiting, 1))).Round(time.Second))
}
