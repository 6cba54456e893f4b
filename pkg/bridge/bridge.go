// Package bridge runs the embedded home as a process: it is everything that `fairbridge
// run` wires together, with the simulators for what a new user does not have.
package bridge

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"fairbridge/pkg/breaker"
	"fairbridge/pkg/deadletter"
	"fairbridge/pkg/embedded"
	"fairbridge/pkg/home"
	"fairbridge/pkg/ingest"
	"fairbridge/pkg/ledger"
	"fairbridge/pkg/mapping"
	"fairbridge/pkg/metrics"
	"fairbridge/pkg/secrets"
	"fairbridge/pkg/secrets/parameterstore"
	"fairbridge/pkg/sqlitedb"
	"fairbridge/pkg/worker"
)

const (
	// functionTimeout is the timeout of the worker Lambda.
	functionTimeout = 900 * time.Second
	batchSize       = 10
	// grace is the time for requests in progress when the bridge stops.
	grace = 10 * time.Second
	// closingMargin is how much of the poller's grace period is reserved for handing work
	// back.
	closingMargin = 2 * time.Second
)

// Config configures a [Bridge]. All fields except File, Listener, Metrics, Bodies,
// Connections, Idle, Uploads and Reread are required.
type Config struct {
	Mapping *mapping.Config
	// File is where the mapping was read from; the bridge reads it again whenever it
	// changes. "" for a mapping that does not change.
	File string
	// Folder is the data folder: the queues, the ledger, the secrets and, if there is one,
	// the simulator's data. It is created if it is missing.
	Folder string
	// Listen is the address of the webhook, host:port; with port 0 a free one is used.
	Listen string
	// Listener is used for webhooks instead of Listen: a socket that somebody else keeps
	// open over a restart. [Bridge.Close] closes it here.
	Listener net.Listener
	// Simulator is the address of the simulator, likewise. It runs if the mapping
	// names no Centercode.
	Simulator string
	// Metrics is the address for Prometheus, likewise; "" for none.
	Metrics string
	// Concurrency is how many batches of up to 10 deliveries are processed at once.
	Concurrency int
	// Bodies is how many bodies of webhooks of the maximum size may be in memory at once;
	// shorter ones count by their length. The default is [embedded.DefaultBodies].
	Bodies int
	// Connections is the maximum number of concurrent connections to the webhook's address.
	// The default is [embedded.DefaultConnections].
	Connections int
	// Idle is how long an idle connection to the webhook's address is kept. The default is
	// [embedded.DefaultIdle].
	Idle time.Duration
	// Uploads is how many files may be uploaded at once. The default is one for each
	// delivery.
	Uploads int
	// Ingested and Worked receive the outcome of each webhook and message.
	Ingested ingest.Reporter
	Worked   worker.Reporter
	// Reread is called when the mapping file was read again.
	Reread func(context.Context, Reread)
	// Log receives problems other than those of deliveries, such as a full disk.
	Log *slog.Logger

	// centercode sends the requests to Centercode in tests; nil for the network.
	centercode *http.Client
	// sources provides files in tests; nil for the network.
	sources worker.Sources
}

// ListenError means that the bridge could not listen on an address.
type ListenError struct {
	// For is the purpose: [ForWebhooks], [ForSimulator] or [ForMetrics].
	For string
	Err error
}

// The purposes of a bridge's addresses.
const (
	ForWebhooks  = "webhooks"
	ForSimulator = "the simulator"
	ForMetrics   = "metrics"
)

// Error implements error.
func (e *ListenError) Error() string { return "listen for " + e.For + ": " + e.Err.Error() }

// Unwrap returns Err.
func (e *ListenError) Unwrap() error { return e.Err }

// Bridge is all of FairBridge in one process: what API Gateway, SQS, Lambda, DynamoDB and
// SSM do on AWS, around the same two handlers.
type Bridge struct {
	home      *embedded.Home
	locked    bool
	listener  net.Listener
	simulator *simulator
	metrics   *scraped // nil without
	server    *http.Server
	pollers   [2]*embedded.Poller // for the work queue and the files queue
	waker     *waker
	reader    *reader // nil if the mapping does not change
	webhook   string
	uploads   int // as configured
	log       *slog.Logger
}

// Open prepares everything, so that problems are reported before the first webhook. The
// caller must call [Bridge.Close]. The error wraps [embedded.ErrLocked] if another process
// runs a bridge in the folder, [secrets.ErrNotFound] if a secret is missing, or is a
// [*ListenError].
func Open(ctx context.Context, c Config) (*Bridge, error) {
	b := &Bridge{listener: c.Listener, log: c.Log, uploads: c.Uploads}
	if err := b.open(ctx, c); err != nil {
		if b.home != nil {
			err = b.home.Explain(err)
		}
		return nil, errors.Join(err, b.Close())
	}
	return b, nil
}

func (b *Bridge) open(ctx context.Context, c Config) (err error) {
	if b.home, err = embedded.Open(ctx, embedded.Config{Folder: c.Folder}); err != nil {
		return err
	}
	if err := b.home.Lock(); err != nil {
		return err
	}
	b.locked = true
	if whole, err := b.home.Examine(ctx); err != nil {
		return err
	} else if !whole {
		c.Log.Warn("the database is too large to be looked through at a start; 'fairbridge check --data' does it", "folder", c.Folder)
	}
	if c.Mapping.Centercode.BaseURL == "" {
		if b.simulator, err = startSimulator(ctx, c); err != nil {
			return err
		}
	}
	token, err := b.webhookToken(ctx)
	if err != nil {
		return err
	}
	if b.listener == nil {
		if b.listener, err = listen(ctx, c.Listen); err != nil {
			return &ListenError{For: ForWebhooks, Err: err}
		}
	}
	b.listener = embedded.LimitConnections(b.listener, c.Connections)
	b.webhook = home.LocalWebhook(b.listener.Addr().String(), token)
	if c.Metrics != "" {
		if b.metrics, err = listenForMetrics(ctx, c); err != nil {
			return err
		}
	}
	if err := b.wire(ctx, c); err != nil {
		return err
	}
	return home.WriteRunning(c.Folder, b.listener.Addr().String())
}

// Webhook returns the URL to enter in TestFairy, including its token.
func (b *Bridge) Webhook() string { return b.webhook }

// Simulator returns the URL of the simulator's page, "" if tickets go to Centercode.
func (b *Bridge) Simulator() string {
	if b.simulator == nil {
		return ""
	}
	return b.simulator.url
}

// Metrics returns the URL for Prometheus, "" if it is not served.
func (b *Bridge) Metrics() string {
	if b.metrics == nil {
		return ""
	}
	return "http://" + b.metrics.listener.Addr().String() + "/metrics"
}

// AtOnce returns how many deliveries are processed at once at most, and how many files are
// uploaded at once.
func (b *Bridge) AtOnce() (deliveries, uploads int) {
	deliveries = b.pollers[0].MaximumConcurrency * batchSize
	return deliveries, min(cmp.Or(b.uploads, deliveries), deliveries)
}

// wire connects the handlers.
func (b *Bridge) wire(ctx context.Context, c Config) error {
	counted, err := metrics.New(metrics.Config{Home: home.Folder(b.home), Log: c.Log})
	if err != nil {
		return err
	}
	if b.metrics != nil {
		b.metrics.server = metrics.NewServer(counted)
	}
	c.Ingested, c.Worked = counted.Ingested(c.Ingested), counted.Worked(c.Worked)
	refused := func(r ingest.Refusal) {
		counted.Refused(r)
		b.home.Refusals.Add(r)
	}
	stored, err := secrets.New(secrets.Config{API: parameterstore.New(b.home.SSM), Log: c.Log})
	if err != nil {
		return err
	}
	remembered, err := ledger.New(ledger.Config{Store: b.home.Ledger, Alone: true})
	if err != nil {
		return err
	}
	runs := &loaded{file: c.File, ledger: remembered, key: stored, simulator: b.simulator, http: c.centercode, sources: c.sources}
	if b.simulator != nil {
		runs.key = simulatorSecrets{}
	}
	m, err := runs.prepare(ctx, c.Mapping)
	if err != nil {
		return err
	}
	runs.config.Store(c.Mapping)
	// The lock means that no other process works here, so what an earlier one held when it
	// ended is resumed at once.
	for _, queueURL := range []string{b.home.WorkQueueURL, b.home.FilesQueueURL} {
		if _, err := b.home.SQS.ReleaseInFlight(ctx, queueURL); err != nil {
			return err
		}
	}
	b.home.SQS.Moved = func(deliveryID string, receives int64) {
		// No worker got to it, so there is no outcome to report it.
		c.Log.Error("dead letter: SQS moved a message that was received too often without an end; 'fairbridge dlq adopt' has the ledger know of it",
			"delivery_id", deliveryID, "receives", receives)
	}
	if err := b.home.SQS.KeepWaits(ctx); err != nil {
		return err
	}
	if err := b.adopt(ctx); err != nil {
		return err
	}
	health, err := breaker.New(breaker.Config{Store: b.home.Ledger, Now: time.Now})
	if err != nil {
		return err
	}
	if err := health.Alone(ctx); err != nil && ctx.Err() == nil { // the turn ends on its own, if later
		c.Log.Warn("the turn of an earlier process, to try Centercode, was not given back", "err", err)
	}
	b.waker = &waker{
		next: c.Worked, health: health, home: b.home, log: c.Log, interval: wakeInterval, held: map[string]heldMessage{},
	}
	runs.work, err = worker.New(worker.Config{
		Mapping: m, Ledger: remembered, Breaker: health, Secrets: runs.key, Queue: b.home.SQS, Reporter: b.waker, Now: time.Now,
		WorkQueueURL: b.home.WorkQueueURL, FilesQueueURL: b.home.FilesQueueURL, DeadLetterQueueURL: b.home.DeadLetterQueueURL,
		Margin: closingMargin, Uploads: c.Uploads,
	})
	if err != nil {
		return err
	}
	if c.Reread == nil {
		c.Reread = func(context.Context, Reread) {}
	}
	if c.File != "" {
		b.reader = &reader{loaded: runs, log: c.Log, tell: c.Reread}
	}
	accept, err := ingest.New(ingest.Config{
		QueueURL: b.home.WorkQueueURL, Sender: b.home.SQS, Routes: runs,
		Secrets: stored, Reporter: b.home.Refusals.Reporting(c.Ingested),
	})
	if err != nil {
		return err
	}
	listener, err := embedded.NewListener(embedded.ListenerConfig{
		Handler: accept, Log: c.Log, Bodies: c.Bodies,
		Refused: refused, Ready: b.home.Ready,
	})
	if err != nil {
		return err
	}
	b.server = embedded.NewServer(listener, c.Log)
	b.server.IdleTimeout = cmp.Or(c.Idle, b.server.IdleTimeout)
	// As many deliveries with slow files as others run at once. Each is a batch of its own,
	// so that none waits for another's files.
	for i, mapping := range []embedded.Poller{
		{QueueURL: b.home.WorkQueueURL, BatchSize: batchSize, MaximumConcurrency: c.Concurrency},
		{QueueURL: b.home.FilesQueueURL, BatchSize: 1, MaximumConcurrency: c.Concurrency * batchSize},
	} {
		mapping.SQS, mapping.Function, mapping.Timeout, mapping.Handler, mapping.Log = b.home.SQS, "worker", functionTimeout, runs.work.Handle, c.Log
		b.pollers[i] = &mapping
	}
	return nil
}

// adopt records dead letters in the ledger that it does not know, mainly those that an
// earlier version wrote. If it is interrupted, the next start does the rest.
func (b *Bridge) adopt(ctx context.Context) error {
	manager, err := deadletter.New(deadletter.Config{Home: home.Folder(b.home)})
	if err != nil {
		return err
	}
	adopted, err := manager.AdoptUnknown(ctx, func(l deadletter.Letter, err error) {
		if ctx.Err() == nil {
			b.log.Warn("a dead letter that the ledger does not know stays so; 'fairbridge dlq adopt' tries it again", "delivery_id", l.DeliveryID, "err", err)
		}
	})
	if adopted > 0 {
		b.log.Info("the ledger knows now of dead letters that it did not", "letters", adopted)
	}
	return err
}

// Serve runs the bridge until ctx ends, then finishes or hands back the work in progress.
// It ends early, with an error, if the folder's file is lost.
func (b *Bridge) Serve(ctx context.Context) error {
	group, running := errgroup.WithContext(ctx)
	group.Go(func() error {
		if err := embedded.Serve(running, b.server, b.listener, grace); err != nil {
			return fmt.Errorf("listen for webhooks: %w", err)
		}
		return nil
	})
	for _, poller := range b.pollers {
		group.Go(func() error { return poller.Run(running) })
	}
	group.Go(func() error { return b.waker.Run(running) })
	if b.reader != nil {
		group.Go(func() error { return b.reader.Run(running) })
	}
	if b.metrics != nil {
		group.Go(func() error { return b.metrics.run(running) })
	}
	group.Go(func() error { return b.home.Refusals.Run(running, b.log) })
	group.Go(func() error { return b.home.Watch(running) })
	err := group.Wait()
	if err == nil {
		return nil
	}
	// A lost file fails whoever uses it first, with any error.
	if lost, ok := errors.AsType[*sqlitedb.FileError](b.home.Ready(context.WithoutCancel(ctx))); ok {
		err = lost
	}
	return b.home.Explain(err)
}

// Close closes the folder and the addresses.
func (b *Bridge) Close() error {
	var errs []error
	if b.listener != nil {
		errs = append(errs, closeListener(b.listener))
	}
	if b.metrics != nil {
		errs = append(errs, closeListener(b.metrics.listener))
	}
	if b.simulator != nil {
		errs = append(errs, b.simulator.close())
	}
	if b.home != nil {
		if b.locked {
			errs = append(errs, home.RemoveRunning(b.home.Dir))
		}
		errs = append(errs, b.home.Close())
	}
	return errors.Join(errs...)
}

// webhookToken returns the token for TestFairy, and generates one on the first start.
func (b *Bridge) webhookToken(ctx context.Context) (string, error) {
	h := home.Folder(b.home)
	tokens, err := h.Tokens(ctx)
	switch {
	case err != nil:
		return "", err
	case len(tokens) > 0:
		return tokens[0], nil
	}
	return h.GenerateToken(ctx)
}

func listen(ctx context.Context, address string) (net.Listener, error) {
	return (&net.ListenConfig{}).Listen(ctx, "tcp", address)
}

// closeListener closes a listener that its server may have closed already.
func closeListener(l net.Listener) error {
	if err := l.Close(); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}
