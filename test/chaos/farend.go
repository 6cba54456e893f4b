package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	centercodesim "fairbridge/pkg/centercode/simulator"
	testfairysim "fairbridge/pkg/testfairy/simulator"
)

// sourceHost is TestFairy's, as payloads name it.
const sourceHost = "app.testfairy.com"

// The keys that Centercode accepts before and after the rotation. They must not appear
// anywhere.
const (
	firstKey  = "first-k3y-that-nobody-may-see"
	secondKey = "second-k3y-that-nobody-may-see"
)

// lookupNumber is the header in which the far end notes the number of a look-up, for its
// faults.
const lookupNumber = "X-Chaos-Lookup"

// farEnd is the bridge's other side: a Centercode and a TestFairy that fail according to
// the plan. It outlives the bridge.
type farEnd struct {
	plan   *plan
	center *centercodesim.Simulator
	source *testfairysim.Server
	// happens is called for the plan's events that are not the far end's own.
	happens func(happening)

	servers              []*http.Server
	centerURL, sourceURL string

	mu       sync.Mutex
	requests int            // at Centercode
	lookups  int            // of them
	fetched  map[string]int // requests, by a source's path
	struck   map[string]int // used faults, by name
	due      []event        // what has not happened yet
	// refuse is how many more requests with the old key arrive before the bridge gets the
	// new one.
	refuse int
	// flows is the path of the source that sends without end, or "".
	flows string
}

func newFarEnd(ctx context.Context, p *plan, happens func(happening)) (*farEnd, error) {
	// A look-up is one request, whatever the number of tickets. With pages of the usual
	// size nearly all requests would be look-ups.
	center, err := centercodesim.New(centercodesim.Config{APIKeys: []string{firstKey}, PageRows: 1_000_000})
	if err != nil {
		return nil, err
	}
	f := &farEnd{
		plan: p, center: center, source: testfairysim.New(testfairysim.Config{}), happens: happens,
		fetched: map[string]int{}, struck: map[string]int{}, due: p.events,
	}
	f.inject()
	if f.centerURL, err = f.listen(ctx, f.serveCenter); err != nil {
		return nil, err
	}
	if f.sourceURL, err = f.listen(ctx, f.serveSource); err != nil {
		return nil, errors.Join(err, f.close())
	}
	return f, nil
}

func (f *farEnd) listen(ctx context.Context, h http.HandlerFunc) (url string, err error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("listen for the far end: %w", err)
	}
	s := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	f.servers = append(f.servers, s)
	go func() {
		_ = s.Serve(l) // returns ErrServerClosed
	}()
	return "http://" + l.Addr().String(), nil
}

func (f *farEnd) close() error {
	errs := []error{f.center.Close()}
	for _, s := range f.servers {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}

// inject gives the plan's faults to the simulators. The faults of a delivery meet its
// requests one after the other, whatever the order of the deliveries.
func (f *farEnd) inject() {
	for _, d := range f.plan.deliveries {
		for _, name := range d.create {
			f.strike(name, centerFault(name, createFaults), func(c centercodesim.Call) bool {
				return c.Op == centercodesim.OpCreate && c.Fields["deliveryId"] == d.id
			})
		}
		for element, names := range d.files {
			for _, name := range names {
				f.strike(name, centerFault(name, fileFaults), func(c centercodesim.Call) bool {
					return c.Op == centercodesim.OpFile && c.Element == element && c.Request.URL.Query().Get("delivery") == d.id
				})
			}
		}
		for element, names := range d.fetches {
			for _, name := range names {
				fault := sourceFaults[name]
				if name == silentSource {
					fault = silentSourceFault
				}
				fault.Times = 1
				f.source.Inject(d.sources[element], fault)
			}
		}
	}
	for n, name := range f.plan.lookups {
		f.strike(name, centerFault(name, lookupFaults), func(c centercodesim.Call) bool {
			return c.Request.Header.Get(lookupNumber) == strconv.Itoa(n)
		})
	}
}

func centerFault(name string, faults map[string]centercodesim.Fault) centercodesim.Fault {
	if name == silentCreate {
		return silentCreateFault
	}
	return faults[name]
}

// strike injects a fault and counts its use: the simulator only asks for a match if no
// other fault is used first.
func (f *farEnd) strike(name string, fault centercodesim.Fault, match func(centercodesim.Call) bool) {
	fault.Match = func(c centercodesim.Call) bool {
		if !match(c) {
			return false
		}
		f.count(name, 1)
		return true
	}
	f.center.Inject(fault)
}

// count counts used faults.
func (f *farEnd) count(name string, n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if n > 0 {
		f.struck[name] += n
	}
}

// serveCenter plays Centercode: first the events that are due, then the simulator's answer.
func (f *farEnd) serveCenter(w http.ResponseWriter, r *http.Request) {
	due := f.arrive(r)
	after := false
	for _, e := range due {
		switch e.what {
		case turnBusy:
			f.last(busy, busyFault, e.requests)
		case turnAway:
			f.last(unavailable, unavailableFault, e.requests)
		case rotate:
			f.center.SetAPIKeys(secondKey)
			f.mu.Lock()
			f.refuse = e.requests
			f.mu.Unlock()
		case killBefore:
			f.happens(e.what)
			panic(http.ErrAbortHandler)
		case killAfter:
			after = true
		default:
			f.happens(e.what)
		}
	}
	if after {
		f.center.Handler().ServeHTTP(unheard{http.Header{}}, r)
		f.happens(killAfter)
		panic(http.ErrAbortHandler)
	}
	f.center.Handler().ServeHTTP(w, r)
}

// arrive counts a request to Centercode and returns the events that are due.
func (f *farEnd) arrive(r *http.Request) (due []event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests++
	for len(f.due) > 0 && f.due[0].at <= f.requests {
		due, f.due = append(due, f.due[0]), f.due[1:]
	}
	if strings.Contains(r.URL.Path, "/feedbackDataPackages/") {
		f.lookups++
		r.Header.Set(lookupNumber, strconv.Itoa(f.lookups))
	}
	if f.refuse > 0 && r.URL.Query().Get("apiKey") == firstKey {
		f.struck[wrongKey]++
		if f.refuse--; f.refuse == 0 {
			go f.happens(rotate) // the bridge gets the new key
		}
	}
	return due
}

// last injects a fault that lasts for this number of requests of any kind.
func (f *farEnd) last(name string, fault centercodesim.Fault, requests int) {
	fault.Times = requests
	f.strike(name, fault, func(centercodesim.Call) bool { return true })
}

// serveSource plays TestFairy's file hosts.
func (f *farEnd) serveSource(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	f.fetched[r.URL.Path]++
	flows := r.URL.Path == f.flows
	f.mu.Unlock()
	if flows {
		w.Header().Set("Content-Type", "image/jpeg")
		_, _ = io.Copy(w, zeros{}) // until the client leaves
		return
	}
	f.source.Handler().ServeHTTP(w, r)
}

// endless makes the source at a path send without end; "" ends that.
func (f *farEnd) endless(path string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.flows = path
}

// requestsSoFar returns how many requests Centercode has had.
func (f *farEnd) requestsSoFar() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.requests
}

// faultsStruck returns the used faults, by name.
func (f *farEnd) faultsStruck() map[string]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	struck := map[string]int{}
	for name, n := range f.struck {
		struck[name] = n
	}
	for _, d := range f.plan.deliveries {
		for element, names := range d.fetches {
			for _, name := range names[:min(len(names), f.fetched[d.sources[element]])] {
				struck[name]++
			}
		}
	}
	return struck
}

// pending returns the events that have not happened.
func (f *farEnd) pending() []event {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.due
}

// unheard is a ResponseWriter whose answer nobody gets.
type unheard struct{ header http.Header }

func (u unheard) Header() http.Header         { return u.header }
func (u unheard) Write(p []byte) (int, error) { return len(p), nil }
func (u unheard) WriteHeader(int)             {}
