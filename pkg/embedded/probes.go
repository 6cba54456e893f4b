package embedded

import (
	"context"
	"net/http"
	"sync"
	"time"

	"fairbridge/pkg/version"
)

// The paths for monitoring.
const (
	healthPath = "/healthz" // the process is alive
	readyPath  = "/readyz"  // it accepts webhooks
)

const (
	// readyAge is how long an answer of /readyz is reused: strangers may request it, and
	// each check costs a write.
	readyAge = time.Second
	// readyTimeout bounds a check.
	readyTimeout = 5 * time.Second
)

// probe answers the request if it is for one of the two paths.
func (l *Listener) probe(w http.ResponseWriter, r *http.Request) bool {
	if r.URL.Path != healthPath && r.URL.Path != readyPath {
		return false
	}
	status, text := http.StatusOK, "ok\n"
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		status, text = http.StatusMethodNotAllowed, "GET or HEAD\n"
	case r.URL.Path == healthPath:
		text = "ok " + version.Product() + "\n"
	default:
		if err := l.ready.err(r.Context()); err != nil {
			// The log of whatever failed has the reason; strangers must not see it.
			status, text = http.StatusServiceUnavailable, "no webhook can be accepted at the moment\n"
		}
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write([]byte(text)) // the caller may have gone
	}
	return true
}

// readiness caches the last answer of a check for a moment.
type readiness struct {
	check func(context.Context) error // nil: always ready

	mu   sync.Mutex
	at   time.Time
	last error
}

func (r *readiness) err(ctx context.Context) error {
	if r.check == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.at.IsZero() && time.Since(r.at) < readyAge {
		return r.last
	}
	// A caller that hangs up must not decide for the others.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readyTimeout)
	defer cancel()
	r.last = r.check(ctx)
	r.at = time.Now()
	return r.last
}
