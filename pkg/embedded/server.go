package embedded

import (
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/net/netutil"
)

// DefaultConnections is the maximum number of concurrent connections. It leaves enough of
// the usual 1,024 file descriptors for the database and for the worker's requests.
const DefaultConnections = 512

// Limits of a connection. docs/operations.md says what happens at each.
const (
	headTimeout = 10 * time.Second
	// readTimeout is for head and body, for slow senders.
	readTimeout = time.Minute
	// writeTimeout is for everything after the head: the body, waiting for room, the
	// handler's 30 s, and the answer.
	writeTimeout = 2 * time.Minute
)

// DefaultIdle is how long an idle connection is kept.
const DefaultIdle = time.Minute

// NewServer returns the HTTP server for a listener: it limits what a connection can use
// without a token, and keeps an idle one for [DefaultIdle]. log receives problems of
// connections; nil for none.
func NewServer(l *Listener, log *slog.Logger) *http.Server {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &http.Server{
		Handler:           l,
		ReadHeaderTimeout: headTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       DefaultIdle,
		MaxHeaderBytes:    maxRequestHead,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
}

// LimitConnections limits a listener to n concurrent connections; 0 means
// [DefaultConnections]. Further ones wait in the kernel, not yet accepted.
func LimitConnections(l net.Listener, n int) net.Listener {
	if n == 0 {
		n = DefaultConnections
	}
	return netutil.LimitListener(l, n)
}
