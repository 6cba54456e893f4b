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

// fault decides the fate of a request to Centercode; nil passes it on. It may pass the
// request on to the simulator and lose the response.
type fault func(*upstream, *http.Request) (*http.Response, error)

var faults = map[string]fault{
	"refused": func(*upstream, *http.Request) (*http.Response, error) { return nil, errors.New("connection refused") },
	"connect timeout": func(*upstream, *http.Request) (*http.Response, error) {
		time.Sleep(10 * time.Second)
		return nil, errors.New("dial tcp: i/o timeout")
	},
	"503":         answers(503, "application/json", `{"status": 503, "description": "maintenance"}`),
	"502 in HTML": answers(502, "text/html", "<html>Bad Gateway</html>"),
	"timeouts": func(s *upstream, r *http.Request) (*http.Response, error) {
		_ = s.wrote(r)
		<-r.Context().Done()
		return nil, r.Context().Err()
	},
	"401": answers(401, "application/json", `{"status": 401, "description": "The API key is invalid."}`),
	"429": answers(429, "application/json", `{"status": 429, "description": "slow down"}`),
	"500": answers(500, "application/json", `{"status": 500, "description": "a bug"}`),
	// A gateway that drops ticket creations but not reads.
	"502 to tickets": func(s *upstream, r *http.Request) (*http.Response, error) {
		if r.Method == http.MethodGet {
			return s.forward(r)
		}
		return answers(502, "text/html", "<html>Bad Gateway</html>")(s, r)
	},
}

// answers is a fault in which every request gets the same response.
func answers(status int, contentType, body string) fault {
	return func(s *upstream, r *http.Request) (*http.Response, error) {
		_ = s.wrote(r)
		return &http.Response{
			StatusCode: status, Header: http.Header{"Content-Type": {contentType}},
			Body: io.NopCloser(strings.NewReader(body)), Request: r,
		}, nil
	}
}

// oneOf picks one of these faults at random for each request.
func oneOf(names ...string) fault {
	return func(s *upstream, r *http.Request) (*http.Response, error) {
		return faults[names[rand.N(len(names))]](s, r)
	}
}

// intermittent applies a fault to a share of the requests; the others pass.
func intermittent(share float64, broken fault) fault {
	return func(s *upstream, r *http.Request) (*http.Response, error) {
		if rand.Float64() >= share {
			return s.forward(r)
		}
		return broken(s, r)
	}
}

// upstream connects the bridge to the simulator without a network: in a synctest bubble its
// hours pass at once.
type upstream struct {
	// even makes all requests take equally long.
	even bool

	mu       sync.Mutex
	fault    fault
	center   http.Handler
	requests []time.Time
}

func (s *upstream) set(w fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = w
}

// RoundTrip implements [http.RoundTripper].
func (s *upstream) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	s.requests = append(s.requests, time.Now())
	fault := s.fault
	s.mu.Unlock()
	if trace := httptrace.ContextClientTrace(r.Context()); trace != nil && trace.GetConn != nil {
		trace.GetConn(r.URL.Host)
	}
	took := 50*time.Millisecond + rand.N(100*time.Millisecond)
	if s.even {
		took = 100 * time.Millisecond
	}
	time.Sleep(took)
	if fault != nil {
		return fault(s, r)
	}
	return s.forward(r)
}

// forward passes a request on.
func (s *upstream) forward(r *http.Request) (*http.Response, error) {
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

// wrote consumes a request's body, as writing it to a connection does.
func (s *upstream) wrote(r *http.Request) (err error) {
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

// between returns the number of requests between two times.
func (s *upstream) between(from, to time.Time) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, at := range s.requests {
		if !at.Before(from) && !at.After(to) {
			n++
		}
	}
	return n
}

// most returns the maximum number of requests in any such window after a time.
func (s *upstream) most(from time.Time, window time.Duration) (most int) {
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
