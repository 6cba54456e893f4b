package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"fairbridge/pkg/attachment"
	"fairbridge/pkg/centercode"
	"fairbridge/pkg/embedded"
	"fairbridge/pkg/home"
	"fairbridge/pkg/ingest"
	"fairbridge/pkg/ledger"
	"fairbridge/pkg/mapping"
	"fairbridge/pkg/secrets"
	"fairbridge/pkg/secrets/parameterstore"
	"fairbridge/pkg/worker"
)

const (
	// functionTimeout is that of the worker Lambda.
	functionTimeout = 900 * time.Second
	batchSize       = 10
	// grace is what a stop leaves to the requests that are being answered.
	grace = 10 * time.Second
	// closingMargin is within what the poller leaves, when it stops, to work
	// that has to be handed back.
	closingMargin = 2 * time.Second
)

// settings are what a bridge on this machine is made of.
type settings struct {
	config *mapping.Config
	// data is the folder of the queue, the ledger, the secrets and, if there is
	// one, the simulator.
	data string
	// listen and simulator are the addresses of the webhook and, if the config
	// names no Centercode, of the simulator.
	listen, simulator string
	concurrency       int
	ingested          ingest.Reporter
	worked            worker.Reporter
	// log gets what goes wrong around the deliveries: a full disk, say.
	log *slog.Logger
}

// bridge is all of FairBridge in this process: what API Gateway, SQS, Lambda,
// DynamoDB and SSM do on AWS, around the same two handlers.
type bridge struct {
	home      *embedded.Home
	locked    bool
	listener  net.Listener
	simulator *simulator
	server    *http.Server
	poller    *embedded.Poller
	// webhook is the URL to enter in TestFairy, with its token.
	webhook string
}

// openBridge makes everything ready, so that what is wrong is said before the
// first webhook comes.
func openBridge(ctx context.Context, s settings) (*bridge, error) {
	b := &bridge{}
	if err := b.open(ctx, s); err != nil {
		return nil, errors.Join(err, b.close())
	}
	return b, nil
}

func (b *bridge) open(ctx context.Context, s settings) (err error) {
	if b.home, err = embedded.Open(ctx, s.data); err != nil {
		return err
	}
	if err := b.home.Lock(); errors.Is(err, embedded.ErrLocked) {
		return fmt.Errorf("another bridge runs in %s; stop it, or name another folder with --data", s.data)
	} else if err != nil {
		return err
	}
	b.locked = true
	if s.config.Centercode.BaseURL == "" {
		if b.simulator, err = startSimulator(ctx, s); err != nil {
			return err
		}
	}
	token, err := b.webhookToken(ctx)
	if err != nil {
		return err
	}
	if b.listener, err = listen(ctx, s.listen); err != nil {
		return fmt.Errorf("listen for webhooks: %w; choose another address with --listen", err)
	}
	b.webhook = home.LocalWebhook(b.listener.Addr().String(), token)
	if err := b.wire(ctx, s); err != nil {
		return err
	}
	return home.WriteRunning(s.data, b.listener.Addr().String())
}

// wire puts the handlers together.
func (b *bridge) wire(ctx context.Context, s settings) error {
	config := s.config
	stored := secrets.New(parameterstore.New(b.home.SSM), secrets.DefaultPrefix, secrets.WithLogger(s.log))
	key := worker.Secrets(stored)
	sources := sourceOptions(config)
	baseURL := config.Centercode.BaseURL
	if b.simulator != nil {
		baseURL, key, sources.Resolve = b.simulator.url, simulatorSecrets{}, b.simulator.resolve()
	} else if _, err := key.Get(ctx, secrets.CentercodeAPIKey); err != nil {
		return err
	}
	if config.UsesAccount() {
		if _, err := key.Get(ctx, secrets.TestFairyAPIKey); err != nil {
			return err
		}
	}
	client, err := centercode.New(centercode.Config{BaseURL: baseURL})
	if err != nil {
		return err
	}
	fetcher, err := attachment.NewFetcher(sources)
	if err != nil {
		return err
	}
	// The lock says that no other process works here: what an earlier one had
	// in hand when it ended is taken up at once.
	if _, err := b.home.SQS.ReleaseInFlight(ctx, b.home.WorkQueueURL); err != nil {
		return err
	}
	work, err := worker.New(worker.Config{
		Ledger: ledger.New(b.home.Ledger, time.Now, ledger.DefaultLease).Alone(), Mapper: config, Centercode: client,
		Sources: fetcher, Secrets: key, Queue: b.home.SQS, Reporter: s.worked, Now: time.Now,
		WorkQueueURL: b.home.WorkQueueURL, DeadLetterQueueURL: b.home.DeadLetterQueueURL, Margin: closingMargin,
	})
	if err != nil {
		return err
	}
	accept, err := ingest.New(ingest.Config{
		QueueURL: b.home.WorkQueueURL, Sender: b.home.SQS, Routes: config,
		Secrets: stored, Reporter: s.ingested,
	})
	if err != nil {
		return err
	}
	b.server = &http.Server{
		Handler:           &embedded.Listener{Handler: accept.Handle, Function: "ingest", Log: s.log},
		ReadHeaderTimeout: 10 * time.Second,
		// API Gateway gives an integration 30 s; a sender may need as long for
		// its body.
		ReadTimeout: time.Minute,
		IdleTimeout: 2 * time.Minute,
	}
	b.poller = &embedded.Poller{
		SQS: b.home.SQS, QueueURL: b.home.WorkQueueURL, Function: "worker",
		BatchSize: batchSize, MaximumConcurrency: s.concurrency, Timeout: functionTimeout, Handler: work.Handle, Log: s.log,
	}
	return nil
}

// serve runs the bridge until ctx ends, then finishes or hands back what is in
// hand.
func (b *bridge) serve(ctx context.Context) error {
	group, running := errgroup.WithContext(ctx)
	group.Go(func() error {
		if err := b.server.Serve(b.listener); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("listen for webhooks: %w", err)
		}
		return nil
	})
	group.Go(func() error {
		<-running.Done()
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
		defer cancel()
		return b.server.Shutdown(stop)
	})
	group.Go(func() error { return b.poller.Run(running) })
	return group.Wait()
}

func (b *bridge) close() error {
	var errs []error
	if b.listener != nil {
		if err := b.listener.Close(); !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
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

// webhookToken returns the token that TestFairy is to send, and makes one on the
// first start.
func (b *bridge) webhookToken(ctx context.Context) (string, error) {
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

// sourceOptions are the attachment settings of a config.
func sourceOptions(c *mapping.Config) attachment.Options {
	return attachment.Options{
		Hosts: c.Sources.Hosts, AllowLoopback: c.Sources.AllowLoopback,
		Resolve: c.Sources.Resolve, MaxBytes: c.Sources.MaxBytes, REST: c.TestFairy.BaseURL,
	}
}

func listen(ctx context.Context, address string) (net.Listener, error) {
	return (&net.ListenConfig{}).Listen(ctx, "tcp", address)
}

// announce prints what a person needs to try the bridge.
func (b *bridge) announce(out io.Writer) {
	if b.simulator != nil {
		fmt.Fprintf(out, "No centercode.baseUrl is configured: tickets go to the simulator, %s\n", b.simulator.url)
	}
	fmt.Fprintf(out, "Webhook for TestFairy: %s\n", b.webhook)
	fmt.Fprintf(out, "Try it: curl -d @events/feedback.json '%s'\n", b.webhook)
	fmt.Fprintln(out, "Ctrl-C finishes what is in hand and ends.")
}
