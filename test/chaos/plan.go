package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"

	"fairbridge/pkg/testfairy"
)

// settings describe a run.
type settings struct {
	Seed       uint64  `json:"seed"`
	Deliveries int     `json:"deliveries"`
	Faults     float64 `json:"faults"` // the share of requests that are struck, 0 to below 1
	Kills      int     `json:"kills"`
	// Park leaves lost answers to a person; otherwise they are looked up.
	Park bool `json:"park"`
	// Padding is how many bytes are added to each webhook that do not become part of a
	// ticket.
	Padding int `json:"padding,omitempty"`
}

func (s settings) check() error {
	switch {
	case s.Deliveries < 10 || s.Deliveries > 1_000_000:
		return errors.New("--deliveries must be 10 to 1000000")
	case s.Faults < 0 || s.Faults > 0.9:
		return errors.New("--faults must be 0 to 0.9")
	case s.Kills < 0 || s.Kills > s.Deliveries:
		return errors.New("--kills must be 0 to the number of deliveries")
	}
	return nil
}

// plan is everything that is decided before a run. The same settings give the same plan;
// the run itself also depends on timing.
type plan struct {
	settings
	deliveries []delivery
	// sends are the webhooks, as numbers of deliveries; a repeated number is a duplicate.
	// late are duplicates of deliveries that have ended in some way.
	sends, late []int
	// lookups are the faults of look-ups, by their numbers from 1.
	lookups map[int]string
	events  []event // by their times
}

// delivery is one feedback, with the faults that its requests meet one after the other.
type delivery struct {
	id      string
	payload []byte
	text    string
	sources map[string]string   // element to the path of its file
	create  []string            // faults of the request for the ticket
	files   map[string][]string // of the uploads, by element
	fetches map[string][]string // of the sources, by element
}

// event is something that happens once, when Centercode has its at-th request.
type event struct {
	at   int
	what happening
	// requests is how many meet it, where it lasts.
	requests int
}

type happening string

const (
	killBefore happening = "kill -9 before a request is carried out"
	killAfter  happening = "kill -9 between a request and its answer"
	interrupt  happening = "Ctrl-C"
	redeliver  happening = "SQS redelivers a message that is being processed"
	rotate     happening = "the API key is replaced" // at Centercode; in the bridge later
	turnBusy   happening = "Centercode answers 429"
	turnAway   happening = "Centercode answers 503"
)

// The shares of deliveries that are sent more than once.
const (
	duplicated = 0.10
	sentLate   = 0.05
)

// outage is how many requests Centercode is not well for: the breaker opens after
// five in a row, and what follows comes one by one.
const outage = 8

func newPlan(s settings) (*plan, error) {
	p := &plan{settings: s, lookups: map[int]string{}}
	r := rand.New(rand.NewPCG(s.Seed, uint64(s.Deliveries)))
	for n := range s.Deliveries {
		d, err := p.delivery(r, n)
		if err != nil {
			return nil, err
		}
		p.deliveries = append(p.deliveries, d)
	}
	silent := p.silences(r)
	p.webhooks(r, silent)
	for n := range 4 * s.Deliveries {
		if r.Float64() < s.Faults {
			p.lookups[n+1] = pick(r, lookupFaults)
		}
	}
	p.schedule(r)
	return p, nil
}

// delivery makes the n-th feedback: with a picture, and every third one with a log.
func (p *plan) delivery(r *rand.Rand, n int) (delivery, error) {
	d := delivery{
		text:    fmt.Sprintf("Feedback %d: %s", n, strings.Repeat("crashes \u2620 in landscape\n", r.IntN(4))),
		sources: map[string]string{"screenshot": fmt.Sprintf("/projects/1-demo/builds/1/sessions/%d/screenshots/%08x.jpg", n, r.Uint32())},
		files:   map[string][]string{}, fetches: map[string][]string{},
	}
	if n%3 == 0 {
		// Different sizes, so that each log has its own path.
		d.sources["log"] = fmt.Sprintf("/generated/%d.bin", 2000+n*97+r.IntN(90))
	}
	fields := map[string]string{
		"event": string(testfairy.KindFeedback), "email": "alice@corporation.com", "text": d.text, "appName": "Demo App",
	}
	if p.Padding > 0 {
		fields["padding"] = strings.Repeat("-", p.Padding)
	}
	for element, path := range d.sources {
		fields[element+"Url"] = "https://" + sourceHost + path
	}
	var err error
	if d.payload, err = json.Marshal(fields); err != nil {
		return d, fmt.Errorf("make feedback %d: %w", n, err)
	}
	e, err := testfairy.Decode(d.payload)
	if err != nil {
		return d, fmt.Errorf("make feedback %d: %w", n, err)
	}
	d.id = e.DeliveryID()
	d.create = struck(r, p.Faults, createFaults)
	for _, element := range elements {
		if d.sources[element] != "" {
			d.files[element] = struck(r, p.Faults, fileFaults)
			d.fetches[element] = struck(r, p.Faults, sourceFaults)
		}
	}
	return d, nil
}

// elements are the file elements, in the order of the route.
var elements = []string{"screenshot", "log"}

// struck draws the faults that requests meet until one succeeds.
func struck[F any](r *rand.Rand, share float64, faults map[string]F) []string {
	var names []string
	for len(names) < 6 && r.Float64() < share {
		names = append(names, pick(r, faults))
	}
	return names
}

func pick[F any](r *rand.Rand, faults map[string]F) string {
	names := slices.Sorted(maps.Keys(faults))
	return names[r.IntN(len(names))]
}

// silences picks, of every 500 deliveries, one that meets a silent Centercode and one that
// meets a silent source. They are the first ones, so that the wait does not make the run
// longer.
func (p *plan) silences(r *rand.Rand) map[int]bool {
	silent := map[int]bool{}
	if p.Faults == 0 {
		return silent
	}
	for range p.Deliveries / 500 {
		n, m := r.IntN(p.Deliveries/4), r.IntN(p.Deliveries/4)
		p.deliveries[n].create = append([]string{silentCreate}, p.deliveries[n].create...)
		p.deliveries[m].fetches["screenshot"] = append([]string{silentSource}, p.deliveries[m].fetches["screenshot"]...)
		silent[n], silent[m] = true, true
	}
	return silent
}

// webhooks draws the order of the webhooks. Half of the duplicates follow the first
// immediately, the others later. A delivery that meets silence has no duplicates: they
// would wait for the end of its lease, which takes minutes.
func (p *plan) webhooks(r *rand.Rand, silent map[int]bool) {
	type send struct {
		at       float64
		delivery int
	}
	var sends []send
	for n := range p.deliveries {
		sends = append(sends, send{float64(n), n})
		for again := r.Float64() < duplicated; again; again = r.Float64() < 0.3 {
			after := 3 * r.Float64()
			if r.IntN(2) == 0 {
				after = float64(p.Deliveries-n) * r.Float64()
			}
			if !silent[n] {
				sends = append(sends, send{float64(n) + after, n})
			}
		}
		if r.Float64() < sentLate {
			p.late = append(p.late, n)
		}
	}
	slices.SortStableFunc(sends, func(a, b send) int { return cmp.Compare(a.at, b.at) })
	for _, s := range sends {
		p.sends = append(p.sends, s.delivery)
	}
}

// schedule draws the times of the single events. Each ticket takes at least one request and
// has a file, so there are about twice as many requests as deliveries.
func (p *plan) schedule(r *rand.Rand) {
	between := func(from, to int) int { return from + r.IntN(max(1, to-from)) }
	n := p.Deliveries
	for k := range p.Kills {
		at := between(n/50, n/10) // while the webhooks come in
		if k > 0 {
			// Spread, so that each kill meets another process.
			span := n * 7 / 5 / (p.Kills - 1)
			at = between(n/10+(k-1)*span, n/10+k*span)
		}
		p.events = append(p.events, event{at: max(at, 1), what: []happening{killBefore, killAfter}[r.IntN(2)]})
	}
	p.events = append(p.events, event{at: between(n/4, n*3/2), what: interrupt})
	if p.Faults > 0 {
		p.events = append(p.events,
			event{at: between(n/4, n), what: turnBusy, requests: outage},
			event{at: between(n/4, n), what: turnAway, requests: outage},
			event{at: between(n/4, n), what: rotate, requests: outage},
			event{at: between(n/4, n), what: redeliver}, event{at: between(n/4, n*3/2), what: redeliver})
	}
	slices.SortStableFunc(p.events, func(a, b event) int { return cmp.Compare(a.at, b.at) })
}
