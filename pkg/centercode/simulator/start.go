package simulator

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// Server is a Simulator that listens on a free port of the loopback interface.
type Server struct {
	*Simulator
	URL string // without a trailing slash: the client's base URL

	server *http.Server
}

// Start starts a Simulator on a free port. It does not use httptest, which would add a flag
// to every command that links this package.
func Start(ctx context.Context, config Config) (*Server, error) {
	s, err := New(config)
	if err != nil {
		return nil, err
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for the simulator: %w", err)
	}
	server := &http.Server{Handler: s.Handler(), ReadHeaderTimeout: 10 * time.Second}
	go func() {
		_ = server.Serve(l) // returns ErrServerClosed
	}()
	return &Server{Simulator: s, URL: "http://" + l.Addr().String(), server: server}, nil
}

// Close ends the server and all its connections, as a crash does.
func (s *Server) Close() error {
	return errors.Join(s.Simulator.Close(), s.server.Close())
}
