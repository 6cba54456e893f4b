// Package console is the operator's console in a browser: the state of the bridge, what
// became of each feedback, and the work on dead letters. It calls the same packages as the
// command (pkg/home, pkg/deadletter, pkg/deliveries, pkg/preview), so that both do the
// same.
//
// Its pages are rendered on the server and work without JavaScript; one script refreshes
// them while nobody is typing. Nothing is loaded from elsewhere, and nothing that a tester
// wrote can run in them.
package console

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"fairbridge/pkg/deadletter"
	"fairbridge/pkg/deliveries"
	"fairbridge/pkg/home"
	"fairbridge/pkg/internal/loopback"
	"fairbridge/pkg/mapping"
)

// ErrNoPassword means that others could reach the console, and it has no password.
var ErrNoPassword = errors.New("a console that others reach needs a password")

// Config configures a [Console]. Home and Config are required.
type Config struct {
	// Home is the bridge. It must stay open while the console serves.
	Home *home.Home
	// Config is the path of fairbridge.yaml, for what the bridge has not recorded. The file
	// may be missing.
	Config string
	// Hosts are further names of the console, such as a reverse proxy's, besides this
	// machine's and plain addresses. A request for any other name is refused.
	Hosts []string
	// ReadOnly refuses every change.
	ReadOnly bool
	// Simulator is the page of the Centercode simulator, "" if there is none.
	Simulator string
	// Version is the program's.
	Version string
	// Log receives errors; nil for none.
	Log *slog.Logger
	// Now is the clock; the default is time.Now.
	Now func() time.Time
}

// Console serves the pages. Several people may use it at the same time.
type Console struct {
	Config

	listener  net.Listener
	access    *access
	finder    *deliveries.Finder
	manager   *deadletter.Manager
	jobs      *jobs
	news      *news
	snapshots *cache[snapshot]
	counted   map[string]*cache[figures] // by span
	server    *http.Server
	// running ends with the console, and with it work outside of requests.
	running context.Context
	stop    context.CancelFunc
}

// Listen returns a console that listens on an address, host:port, and does not answer yet.
// In a folder it leaves a record for [LinkTo]. The caller must call [Console.Close]. The
// error wraps [ErrNoPassword], or is a [*net.OpError] if the console cannot listen on the
// address.
func Listen(ctx context.Context, address string, c Config) (*Console, error) {
	if c.Home == nil {
		return nil, errors.New("console: Home is required")
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen for browsers: %w", err)
	}
	s, err := on(ctx, l, c)
	if err != nil {
		return nil, fmt.Errorf("listen for browsers at %s: %w", address, err)
	}
	return s, nil
}

// on is [Listen] where somebody listens already.
func on(ctx context.Context, l net.Listener, c Config) (*Console, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	s := &Console{Config: c, listener: l}
	if err := s.wire(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Console) wire(ctx context.Context) (err error) {
	if s.access, err = newAccess(ctx, s.Home, s.listener.Addr(), s.Now); err != nil {
		return err
	}
	if s.access.password == nil && !s.onLoopback() {
		return fmt.Errorf("%w; store one: %s", ErrNoPassword, s.Home.Command("secrets put console-password"))
	}
	// It makes the links that no mapping in the ledger makes. Which one runs is not asked:
	// beside a bridge that starts, that would wait for its answer.
	file, err := mapping.Load(s.Config.Config)
	if err != nil {
		file = nil // the pages that need it say why
	}
	if s.finder, err = deliveries.New(deliveries.Config{Home: s.Home, Mapping: file}); err != nil {
		return err
	}
	if s.manager, err = s.managerWithProgress(nil); err != nil {
		return err
	}
	s.news = newNews(s)
	s.jobs = newJobs(s)
	s.snapshots = &cache[snapshot]{now: s.Now, read: s.readSnapshot, told: s.news.tell}
	s.counted = map[string]*cache[figures]{}
	for _, of := range spans {
		s.counted[of.Name] = &cache[figures]{now: s.Now, read: func() (*figures, time.Duration) { return s.count(of) }, told: s.news.tell}
	}
	s.server = &http.Server{
		Handler: s.handler(), ErrorLog: slog.NewLogLogger(s.Log.Handler(), slog.LevelWarn),
		ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
	}
	if s.Home.OnAWS() {
		return nil
	}
	return home.WriteConsole(s.Home.Folder, home.ConsoleNote{Address: s.listener.Addr().String(), Key: s.access.exportKey()})
}

// Close closes the address.
func (s *Console) Close() error {
	var err error
	if !s.Home.OnAWS() && s.access != nil {
		err = home.RemoveConsole(s.Home.Folder, s.access.exportKey())
	}
	if closed := s.listener.Close(); !errors.Is(closed, net.ErrClosed) {
		err = errors.Join(err, closed)
	}
	return err
}

// grace is the time for responses in progress when the console stops.
const grace = 5 * time.Second

// Serve serves requests until ctx ends. A replay in progress then finishes what has begun,
// and releases the rest.
func (s *Console) Serve(ctx context.Context) error {
	s.running, s.stop = context.WithCancel(context.WithoutCancel(ctx))
	served := make(chan error, 1)
	var all sync.WaitGroup
	all.Go(func() { served <- s.server.Serve(s.listener) })
	all.Go(func() { s.news.run(s.running) })
	var err error
	select {
	case err = <-served:
	case <-ctx.Done():
		s.stop() // before the shutdown, which waits for the streams
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
		defer cancel()
		if err = s.server.Shutdown(closing); err != nil {
			err = s.server.Close()
		}
	}
	s.stop()
	all.Wait()
	s.jobs.going.Wait()
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// Link returns an address that signs its first visitor in, once, within ten minutes. It is
// for a terminal and must not be logged.
func (s *Console) Link() string { return s.URL() + linkPath(s.access.key, s.Now()) }

// URL is the console's address.
func (s *Console) URL() string { return "http://" + loopback.Reachable(s.listener.Addr().String()) }

// managerWithProgress returns a manager that reports its progress.
func (s *Console) managerWithProgress(progress func(what string, done, of int)) (*deadletter.Manager, error) {
	return deadletter.New(deadletter.Config{Home: s.Home, Progress: progress, Now: s.Now})
}

func (s *Console) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /assets/{hash}/{name}", serveAsset)
	mux.HandleFunc("GET /enter", s.enter)
	mux.HandleFunc("POST /enter", s.enterByPassword)
	for pattern, page := range map[string]page{
		"GET /{$}":                     s.showNow,
		"POST /pause":                  s.changes(s.pause),
		"POST /resume":                 s.changes(s.resume),
		"GET /letters":                 s.showLetters,
		"GET /letters/{group}":         s.showGroup,
		"POST /letters/{group}/replay": s.changes(s.replayGroup),
		"POST /letters/{group}/drop":   s.changes(s.dropGroup),
		"GET /jobs/{job}":              s.showJob,
		"POST /jobs/{job}/cancel":      s.changes(s.cancelJob),
		"GET /deliveries":              s.showDeliveries,
		"GET /deliveries.csv":          s.csvDeliveries,
		"GET /deliveries/{id}":         s.showDelivery,
		"GET /deliveries/{id}/edit":    s.editDelivery,
		"POST /deliveries/{id}/edit":   s.checkEdit,
		"POST /deliveries/{id}/replay": s.changes(s.replayDelivery),
		"POST /deliveries/{id}/settle": s.changes(s.settleDelivery),
		"POST /deliveries/{id}/drop":   s.changes(s.dropDelivery),
		"GET /refused":                 s.showRefused,
		"GET /try":                     s.showTry,
		"POST /try":                    s.tryPayload,
		"GET /news":                    s.stream,
		"POST /leave":                  s.leave,
		"/":                            s.nothing,
	} {
		mux.Handle(pattern, s.serve(page))
	}
	return s.protected(mux)
}
