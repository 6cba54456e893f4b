package bridge

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"

	"fairbridge/pkg/embedded"
)

// scrapers is the maximum number of open connections for metrics.
const scrapers = 16

type scraped struct {
	listener net.Listener
	server   *http.Server // set when the handlers are connected
	log      *slog.Logger
}

func listenForMetrics(ctx context.Context, c Config) (*scraped, error) {
	l, err := listen(ctx, c.Metrics)
	if err != nil {
		return nil, &ListenError{For: ForMetrics, Err: err}
	}
	return &scraped{listener: embedded.LimitConnections(l, scrapers), log: c.Log}, nil
}

// run serves until ctx ends. A failure does not stop the bridge: Prometheus notices it.
func (s *scraped) run(ctx context.Context) error {
	defer context.AfterFunc(ctx, func() { _ = s.server.Close() })()
	if err := s.server.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
		s.log.Error("metrics are not served any more", "err", err)
	}
	return nil
}
