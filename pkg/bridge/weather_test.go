package bridge

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"

	centercodesim "fairbridge/pkg/centercode/simulator"
	"fairbridge/pkg/embedded"
	"fairbridge/pkg/home"
	"fairbridge/pkg/ingest"
	"fairbridge/pkg/ledger"
	"fairbridge/pkg/mapping"
	"fairbridge/pkg/secrets"
	"fairbridge/pkg/worker"
)

// weather is what a request to Centercode meets; nil is a fine day. It may let the
// request through to the simulator, and lose the answer.
type weather func(*sky, *http.Request) (*http.Response, error)

func (s *sky) answer(r *http.Request, status int, contentType, body string) (*http.Response, error) {
	s.wrote(r)
	return &http.Response{
		StatusCode: status, Header: http.Header{"Content-Type": {contentType}},
		Body: io.NopCloser(strings.NewReader(body)), Request: r,
	}, nil
}

var weathers = map[string]weather{
	"refused": func(*sky, *http.Request) (*http.Response, error) { return nil, errors.New("connection refused") },
	"503": func(s *sky, r *http.Request) (*http.Response, error) {
		return s.answer(r, 503, "application/json", `{"status": 503, "description": "maintenance"}`)
	},
	"502 in HTML": func(s *sky, r *http.Request) (*http.Response, error) {
		return s.answer(r, 502, "text/html", "<html>Bad Gateway</html>")
	},
	"timeouts": func(s *sky, r *http.Request) (*http.Response, error) {
		s.wrote(r)
		<-r.Context().Done()
		return nil, r.Context().Err()
	},
	"401": func(s *sky, r *http.Request) (*http.Response, error) {
		return s.answer(r, 401, "application/json", `{"status": 401, "description": "The API key is invalid."}`)
	},
	"429": func(s *sky, r *http.Request) (*http.Response, error) {
		return s.answer(r, 429, "application/json", `{"status": 429, "description": "slow down"}`)
	},
	"500": func(s *sky, r *http.Request) (*http.Response, error) {
		return s.answer(r, 500, "application/json", `{"status": 500, "description": "a bug"}`)
	},
}

// sky is between the bridge and the simulator, without a network: in a bubble of
// synctest its hours pass at once.
type sky struct {
	mu       sync.Mutex
	weather  weather
	center   http.Handler
	requests []time.Time
}

func (s *sky) set(w weather) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.weather = w
}

// RoundTrip implements [http.RoundTripper].
func (s *sky) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	s.requests = append(s.requests, time.Now())
	weather := s.weather
	s.mu.Unlock()
	if trace := httptrace.ContextClientTrace(r.Context()); trace != nil && trace.GetConn != nil {
		trace.GetConn(r.URL.Host)
	}
	time.Sleep(50*time.Millisecond + rand.N(100*time.Millisecond))
	if weather != nil {
		return weather(s, r)
	}
	return s.fine(r)
}

// fine lets a request through.
func (s *sky) fine(r *http.Request) (*http.Response, error) {
	s.wrote(r)
	served := r.Clone(r.Context())
	served.RequestURI = r.URL.RequestURI()
	served.RemoteAddr = "127.0.0.1:1"
	if served.Body == nil {
		served.Body = http.NoBody
	}
	rec := httptest.NewRecorder()
	s.center.ServeHTTP(rec, served)
	return rec.Result(), nil
}

// wrote is the end of a request's way out.
func (s *sky) wrote(r *http.Request) {
	if trace := httptrace.ContextClientTrace(r.Context()); trace != nil && trace.WroteHeaders != nil {
		trace.WroteHeaders()
	}
	if r.Body != nil {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
}

func (s *sky) since(t time.Time) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, at := range s.requests {
		if at.After(t) {
			n++
		}
	}
	return n
}

// patience is how often a poller of days looks for messages: not ten times a second.
const patience = 5 * time.Second

// patient is the queue for such a poller.
type patient struct{ *embedded.SQS }

func (p patient) ReceiveMessage(ctx context.Context, in *sqs.ReceiveMessageInput, _ ...func(*sqs.Options)) (*sqs.ReceiveMessageOutput, error) {
	now := *in
	now.WaitTimeSeconds = 0
	out, err := p.SQS.ReceiveMessage(ctx, &now)
	if err == nil && len(out.Messages) == 0 {
		select {
		case <-time.After(patience):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return out, err
}

// station is a whole bridge under a sky: listener, queue, worker and simulator.
type station struct {
	*testing.T
	sky    *sky
	center *centercodesim.Simulator
	bridge *Bridge
	token  string
	stop   func()
	sent   int

	mu      sync.Mutex
	results map[worker.Result]int
	tickets []time.Time
	warned  map[string]int
}

// Report implements [worker.Reporter].
func (s *station) Report(_ context.Context, o worker.Outcome) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.results[o.Result]++
	if o.Result == worker.Created {
		s.tickets = append(s.tickets, time.Now())
	}
	if o.Warning != nil {
		s.warned[o.Warning.Error()]++
	}
}

type unheard struct{}

func (unheard) Report(context.Context, ingest.Outcome) {}

const weatherRoutes = `centercode: {baseUrl: "http://127.0.0.1:9"}
routes:
  - match: {event: feedback}
    project: DEMO
    source: testfairy
    fields: {summary: "{{ .text }}", deliveryId: "{{ .deliveryId }}"}
  - match: {event: crash}
    project: BROKEN
    source: testfairy
    fields: {summary: "{{ .text }}", deliveryId: "{{ .deliveryId }}"}
`

const concurrency = 5

func newStation(t *testing.T) *station {
	t.Helper()
	center, err := centercodesim.New(centercodesim.Options{APIKeys: []string{"key"}})
	s := &station{T: t, sky: &sky{}, center: center, results: map[worker.Result]int{}, warned: map[string]int{}}
	s.must(err)
	s.sky.center = center.Handler()
	config, err := mapping.Parse("fairbridge.yaml", []byte(weatherRoutes))
	s.must(err)
	ctx, cancel := context.WithCancel(t.Context())
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	b := &Bridge{log: log}
	b.home, err = embedded.Open(ctx, embedded.Config{Folder: t.TempDir()})
	s.must(err)
	h := home.Folder(b.home)
	s.must(h.PutSecret(ctx, secrets.CentercodeAPIKey, "key"))
	s.token, err = h.GenerateToken(ctx)
	s.must(err)
	s.must(b.wire(ctx, Config{
		Mapping: config, Concurrency: concurrency, Ingested: unheard{}, Worked: s, Log: log, centercode: &http.Client{Transport: s.sky},
	}))
	b.poller.SQS, b.waker.interval = patient{b.home.SQS}, 10*time.Second
	s.bridge = b
	var running sync.WaitGroup
	running.Go(func() { s.must(b.poller.Run(ctx)) })
	running.Go(func() { s.must(b.waker.Run(ctx)) })
	s.stop = func() {
		cancel()
		running.Wait()
		s.must(b.home.Close())
	}
	return s
}

func (s *station) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// send sends webhooks through the listener.
func (s *station) send(n int) {
	s.Helper()
	s.sendEvent("feedback", n)
}

func (s *station) sendEvent(event string, n int) {
	s.Helper()
	for range n {
		s.sent++
		body := fmt.Sprintf(`{"event":%q,"text":"feedback %d"}`, event, s.sent)
		rec := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodPost, "/webhooks/testfairy?"+url.Values{"token": {s.token}}.Encode(), strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		s.bridge.server.Handler.ServeHTTP(rec, r)
		if rec.Code != http.StatusAccepted {
			s.Fatalf("webhook %d: %d %s", s.sent, rec.Code, rec.Body)
		}
	}
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
	ended := len(made)
	records, err := s.bridge.home.Ledger.Recent(s.Context(), -1)
	s.must(err)
	dead := 0
	for _, r := range records {
		if !ledger.IsDelivery(r.ID) {
			continue
		}
		e, err := ledger.Read(r)
		s.must(err)
		switch {
		case e.State == ledger.Dead && e.Last.Reason == "ambiguous" && made[r.ID] == 0:
			dead++
		case e.State != ledger.Completed:
			s.Errorf("delivery %s ended as %s: %+v", r.ID, e.State, e.Last)
		}
	}
	if ended+dead != s.sent || dead > ambiguous {
		s.Errorf("of %d feedbacks %d are tickets, %d dead letters (at most %d)", s.sent, ended, dead, ambiguous)
	}
	for warning, n := range s.warned {
		s.Errorf("%d times: %s", n, warning)
	}
	s.Logf("%d feedbacks: %d tickets, %d ambiguous; %v; %d requests", s.sent, ended, dead, s.results, s.sky.since(time.Time{}))
}

// TestThreeDays is three days of Centercode being away, in every way: nobody is
// needed for anything but what was in doubt. Of each way alone it is a few hours,
// unless FAIRBRIDGE_WEATHER is full: then it is three days, and ten thousand
// feedbacks.
func TestThreeDays(t *testing.T) {
	for _, tc := range []struct {
		name   string
		outage time.Duration
		ways   []string
		// doubt is true if answers are lost.
		doubt bool
	}{
		{"refused", 2 * time.Hour, []string{"refused"}, false},
		{"503", 2 * time.Hour, []string{"503"}, false},
		{"502 in HTML", 2 * time.Hour, []string{"502 in HTML"}, true},
		{"timeouts", 2 * time.Hour, []string{"timeouts"}, true},
		{"401", 2 * time.Hour, []string{"401"}, false},
		{"one after the other", 72 * time.Hour, []string{"refused", "503", "502 in HTML", "timeouts", "401"}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			outage, feedbacks := tc.outage, 10
			if os.Getenv("FAIRBRIDGE_WEATHER") == "full" {
				outage, feedbacks = 72*time.Hour, 10_000
			}
			synctest.Test(t, func(t *testing.T) {
				s := newStation(t)
				defer s.stop()
				s.send(3)
				time.Sleep(time.Minute)
				began := time.Now()
				each := outage / time.Duration(len(tc.ways))
				for _, way := range tc.ways {
					s.sky.set(weathers[way])
					for range feedbacks / len(tc.ways) {
						s.send(1)
						time.Sleep(each / time.Duration(feedbacks/len(tc.ways)))
					}
				}
				before := s.sky.since(began) - s.sky.since(began.Add(6*time.Minute))
				if most := concurrency * batchSize * 2; before > most {
					t.Errorf("%d requests before it was open and in the first minutes, at most %d", before, most)
				}
				during := s.sky.since(began.Add(6 * time.Minute))
				if most := int(outage/time.Minute) * 2; during > most || during < most/4 {
					t.Errorf("%d requests from the fifth minute, at most 2 a minute: %d", during, most)
				}
				s.sky.set(nil)
				back := time.Now()
				time.Sleep(5 * time.Minute)
				// A probe comes each minute. This bridge looks for it less often than
				// a real one, so that days pass quickly.
				s.returned(back, time.Minute+s.bridge.waker.interval+patience)
				ambiguous := 0
				if tc.doubt {
					ambiguous = 2 * concurrency * batchSize
				}
				s.check(ambiguous)
			})
		})
	}
}

// returned says how soon tickets were made when Centercode was back.
func (s *station) returned(back time.Time, within time.Duration) {
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
	s.Logf("the first ticket %s after Centercode is back, the last %s", first, last)
	if first == 0 || first > within {
		s.Errorf("the first ticket came %s after Centercode was back", first)
	}
}

// TestABadHour: of 30 % or 60 % of all requests something passing becomes. Nothing
// is given up, and at 30 % the breaker is hardly ever open.
func TestABadHour(t *testing.T) {
	for _, share := range []float64{0.3, 0.6} {
		t.Run(fmt.Sprint(share), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStation(t)
				defer s.stop()
				s.sky.set(func(sky *sky, r *http.Request) (*http.Response, error) {
					if rand.Float64() >= share {
						return sky.fine(r)
					}
					return weathers[[]string{"429", "500", "refused"}[rand.N(3)]](sky, r)
				})
				open := 0
				for range 200 {
					s.send(1)
					for range 3 {
						time.Sleep(6 * time.Second)
						if state, err := s.bridge.waker.health.State(t.Context(), "DEMO"); err != nil || state.Open() {
							open++
						}
					}
				}
				if share < 0.5 && open > 60 {
					t.Errorf("the breaker is open at %d of 600 looks", open)
				}
				s.sky.set(nil)
				time.Sleep(time.Hour)
				t.Logf("open at %d of 600 looks", open)
				s.check(0)
			})
		})
	}
}

// TestPause holds what comes, says so in the status, and lets it go on again.
func TestPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStation(t)
		defer s.stop()
		h := home.Folder(s.bridge.home)
		pause := home.PauseRequest{Because: "the form is changed", Who: "ana", For: 2 * time.Hour}
		_, err := h.Pause(t.Context(), pause, time.Now())
		s.must(err)
		s.send(10)
		time.Sleep(90 * time.Minute)
		if n := s.sky.since(time.Time{}); n > 0 {
			t.Errorf("%d requests while all is paused", n)
		}
		states, err := s.bridge.waker.health.States(t.Context())
		s.must(err)
		if p := states[0].Pause; p == nil || p.Who != "ana" || p.Why != "the form is changed" {
			t.Errorf("the states are %+v", states)
		}
		began := time.Now()
		s.must(h.Resume(t.Context(), ""))
		time.Sleep(2 * time.Minute)
		s.returned(began, time.Minute)
		s.check(0)

		// One that ends by itself does so for those who wait as well.
		_, err = h.Pause(t.Context(), pause, time.Now())
		s.must(err)
		s.send(10)
		time.Sleep(2*time.Hour + 2*time.Minute)
		s.check(0)
	})
}

// TestOneProjectDoesNotHoldAnother: one answers 500, and the others' tickets are as
// quick as ever.
func TestOneProjectDoesNotHoldAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStation(t)
		defer s.stop()
		s.sky.set(func(sky *sky, r *http.Request) (*http.Response, error) {
			if strings.Contains(r.URL.Path, "/BROKEN/") {
				return weathers["500"](sky, r)
			}
			return sky.fine(r)
		})
		for range 20 {
			s.sendEvent("crash", 1)
			s.send(1)
			time.Sleep(time.Minute)
		}
		made := len(s.center.Tickets())
		if made != 20 {
			t.Errorf("%d of 20 tickets of the project that is well", made)
		}
		began := time.Now()
		s.send(20)
		time.Sleep(6 * time.Second)
		if made := len(s.center.Tickets()) - made; made != 20 {
			t.Errorf("%d of 20 tickets in %s", made, time.Since(began))
		}
		s.sky.set(nil)
		time.Sleep(20 * time.Minute)
		s.check(0)
	})
}
