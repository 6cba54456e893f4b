package bridge

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"sync/atomic"

	"fairbridge/pkg/ledger"
	"fairbridge/pkg/mapping"
	"fairbridge/pkg/secrets"
	"fairbridge/pkg/testfairy"
	"fairbridge/pkg/worker"
)

// errSimulator means that a file changes where all tickets go. A running bridge cannot do
// that: it read its secrets, or started its simulator, when it began.
var errSimulator = errors.New("whether centercode.baseUrl names a Centercode or the simulator takes the tickets is settled when the bridge starts: restart it")

// loaded is the mapping that the bridge runs, and how to replace it.
type loaded struct {
	file      string // "" if there is no file
	ledger    *ledger.Ledger
	key       worker.Secrets
	simulator *simulator
	http      *http.Client
	sources   worker.Sources // nil for those of the mapping

	config atomic.Pointer[mapping.Config]
	work   *worker.Handler // nil before the handler exists
}

// Wants implements [ingest.Wants].
func (l *loaded) Wants(k testfairy.Kind) bool { return l.config.Load().Wants(k) }

// prepare returns the worker's form of a mapping that is about to run, if the bridge has
// everything that it needs, and records that it runs. So an entry never names a mapping
// that the ledger does not have.
func (l *loaded) prepare(ctx context.Context, config *mapping.Config) (worker.Mapping, error) {
	c := worker.MappingConfig{Config: config, HTTP: l.http}
	switch {
	case (config.Centercode.BaseURL == "") != (l.simulator != nil):
		return worker.Mapping{}, errSimulator
	case l.simulator != nil:
		c.Simulator, c.Resolve = l.simulator.url, l.simulator.resolve()
	}
	needed := []string{secrets.CentercodeAPIKey}
	if config.UsesAccount() {
		needed = append(needed, secrets.TestFairyAPIKey)
	}
	for _, name := range needed {
		if _, err := l.key.Get(ctx, name); err != nil {
			return worker.Mapping{}, err
		}
	}
	m, err := worker.NewMapping(c)
	if err != nil {
		return worker.Mapping{}, err
	}
	if l.sources != nil {
		m.Sources = l.sources
	}
	running := ledger.Running{Hash: config.Hash()}
	if l.file != "" {
		if running.File, err = filepath.Abs(l.file); err != nil {
			return worker.Mapping{}, fmt.Errorf("find the mapping file: %w", err)
		}
	}
	return m, l.ledger.NowRuns(ctx, running, string(config.Document()))
}

// use makes a mapping the running one. After an error the previous one continues.
func (l *loaded) use(ctx context.Context, config *mapping.Config) error {
	m, err := l.prepare(ctx, config)
	if err != nil {
		return err
	}
	if l.simulator != nil {
		l.simulator.centercode.SetFileElements(config.FileElements())
	}
	if err := l.work.Use(m); err != nil {
		return err
	}
	l.config.Store(config)
	return nil
}

// refused records why the current file is not what runs.
func (l *loaded) refused(ctx context.Context, why error) error {
	running, err := l.ledger.Running(ctx)
	if err != nil {
		return err
	}
	running.Problem = why.Error()
	return l.ledger.NowRuns(ctx, running, string(l.config.Load().Document()))
}
