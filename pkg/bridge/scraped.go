package bridge

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"

	"fairbridge/pkg/embedded"
	"fairbridge/pkg/home"
	"fairbridge/pkg/ingest"
	"fairbridge/pkg/metrics"
	"fairbridge/pkg/worker"
)

// scrapers is the maximum number of open connections for metrics.
const scrapers = 16

// scraped serves a bridge's metrics. It is nil if the bridge has none.
type scraped struct {
	metrics  *metrics.Metrics
	listener net.Listener
	server   *http.Server
	log      *slog.Logger
}

// listenForMetrics returns nil if no address is configured.
func listenForMetrics(ctx context.Context, c Config, h *home.Home) (_ *scraped, err error) {
	if c.Metrics == "" {
		return nil, nil
	}
	s := &scraped{log: c.Log}
	if s.metrics, err = metrics.New(metrics.Config{Home: h, Log: c.Log}); err != nil {
		return nil, err
	}
	l, err := listen(ctx, c.Metrics)
	if err != nil {
		return nil, &ListenError{For: ForMetrics, Err: err}
	}
	s.listener, s.server = embedded.LimitConnections(l, scrapers), metrics.NewServer(s.metrics)
	return s, nil
}

// reporters returns the configured reporters, which also count.
func (s *scraped) reporters(c Config) (ingest.Reporter, worker.Reporter) {
	if s == nil {
		return c.Ingested, c.Worked
	}
	return s.metrics.Ingested(c.Ingested), s.metrics.Worked(c.Worked)
}

// refused returns a function that counts a refusal and passes it to next.
func (s *scraped) refused(next func(ingest.Refusal)) func(ingest.Refusal) {
	if s == nil {
		return next
	}
	return func(r ingest.Refusal) {
		s.metrics.Refused(r)
		next(r)
	}
}

func (s *scraped) url() string {
	if s == nil {
		return ""
	}
	return "http://" + s.listener.Addr().String() + "/metrics"
}

// run serves until ctx ends. A failure does not stop the bridge: Prometheus notices it.
func (s *scraped) run(ctx context.Context) error {
	if s == nil {
		return nil
	}
	defer context.AfterFunc(ctx, func() { _ = s.server.Close() })()
	if err := s.server.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
		s.log.Error("metrics are not served any more", "err", err)
	}
	return nil
}

func (s *scraped) close() error {
	if s == nil {
		return nil
	}
	if err := s.listener.Close(); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}
