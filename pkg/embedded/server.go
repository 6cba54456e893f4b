package embedded

import (
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/net/netutil"
)

// DefaultConnections is how many connections are held at once. It leaves enough
// of the usual 1,024 file descriptors for the database and for what the worker
// sends.
const DefaultConnections = 512

// What a connection may take. docs/operations.md tells what happens at each.
const (
	headTimeout = 10 * time.Second
	// readTimeout is for head and body: a sender may need as long.
	readTimeout = time.Minute
	// writeTimeout is for all that follows the head: the body, the wait for its
	// turn, the handler's 30 s, and the answer.
	writeTimeout = 2 * time.Minute
)

// DefaultIdle is how long a connection is kept that asks for nothing.
const DefaultIdle = time.Minute

// NewServer is the HTTP server for a listener: it bounds what a connection may
// take without a token, and keeps it for [DefaultIdle] without a request. log gets
// what is wrong with connections; nil for none.
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

// LimitConnections holds at most n connections of a listener at once; 0 means
// [DefaultConnections]. Those beyond wait, not yet accepted, in the kernel.
func LimitConnections(l net.Listener, n int) net.Listener {
	if n == 0 {
		n = DefaultConnections
	}
	return netutil.LimitListener(l, n)
}
