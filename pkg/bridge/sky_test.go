package bridge

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"strings"
	"sync"
	"time"
)

// weather is what a request to Centercode meets; nil is a fine day. It may let the
// request through to the simulator, and lose the answer.
type weather func(*sky, *http.Request) (*http.Response, error)

var weathers = map[string]weather{
	"refused": func(*sky, *http.Request) (*http.Response, error) { return nil, errors.New("connection refused") },
	"connect timeout": func(*sky, *http.Request) (*http.Response, error) {
		time.Sleep(10 * time.Second)
		return nil, errors.New("dial tcp: i/o timeout")
	},
	"503":         answers(503, "application/json", `{"status": 503, "description": "maintenance"}`),
	"502 in HTML": answers(502, "text/html", "<html>Bad Gateway</html>"),
	"timeouts": func(s *sky, r *http.Request) (*http.Response, error) {
		_ = s.wrote(r)
		<-r.Context().Done()
		return nil, r.Context().Err()
	},
	"401": answers(401, "application/json", `{"status": 401, "description": "The API key is invalid."}`),
	"429": answers(429, "application/json", `{"status": 429, "description": "slow down"}`),
	"500": answers(500, "application/json", `{"status": 500, "description": "a bug"}`),
	// A gateway that has lost what makes tickets, and not what is read.
	"502 to tickets": func(s *sky, r *http.Request) (*http.Response, error) {
		if r.Method == http.MethodGet {
			return s.fine(r)
		}
		return answers(502, "text/html", "<html>Bad Gateway</html>")(s, r)
	},
}

// answers is a weather in which nothing but this is answered.
func answers(status int, contentType, body string) weather {
	return func(s *sky, r *http.Request) (*http.Response, error) {
		_ = s.wrote(r)
		return &http.Response{
			StatusCode: status, Header: http.Header{"Content-Type": {contentType}},
			Body: io.NopCloser(strings.NewReader(body)), Request: r,
		}, nil
	}
}

// oneOf is another of these weathers for each request.
func oneOf(names ...string) weather {
	return func(s *sky, r *http.Request) (*http.Response, error) {
		return weathers[names[rand.N(len(names))]](s, r)
	}
}

// changeable is such a weather for a share of the requests; the others get through.
func changeable(share float64, bad weather) weather {
	return func(s *sky, r *http.Request) (*http.Response, error) {
		if rand.Float64() >= share {
			return s.fine(r)
		}
		return bad(s, r)
	}
}

// sky is between the bridge and the simulator, without a network: in a bubble of
// synctest its hours pass at once.
type sky struct {
	// even has every request take as long as every other.
	even bool

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
	took := 50*time.Millisecond + rand.N(100*time.Millisecond)
	if s.even {
		took = 100 * time.Millisecond
	}
	time.Sleep(took)
	if weather != nil {
		return weather(s, r)
	}
	return s.fine(r)
}

// fine passes a request on.
func (s *sky) fine(r *http.Request) (*http.Response, error) {
	if err := s.wrote(r); err != nil {
		return nil, err
	}
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
func (s *sky) wrote(r *http.Request) (err error) {
	if trace := httptrace.ContextClientTrace(r.Context()); trace != nil && trace.WroteHeaders != nil {
		trace.WroteHeaders()
	}
	if r.Body != nil {
		var body []byte
		body, err = io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	return err
}

// between is how many requests there were from one time to another.
func (s *sky) between(from, to time.Time) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, at := range s.requests {
		if !at.Before(from) && !at.After(to) {
			n++
		}
	}
	return n
}

// most is the largest number of requests after a time in any window so long.
func (s *sky) most(from time.Time, window time.Duration) (most int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	first := 0
	for i, at := range s.requests {
		for first < i && (!s.requests[first].After(from) || at.Sub(s.requests[first]) >= window) {
			first++
		}
		if at.After(from) {
			most = max(most, i-first+1)
		}
	}
	return most
}
