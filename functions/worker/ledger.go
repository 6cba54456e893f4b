package main

import (
	"context"
	"log/slog"
	"time"

	"fairbridge/functions/internal/env"
	"fairbridge/pkg/ledger"
	"fairbridge/pkg/ledger/dynamo"
	"fairbridge/pkg/mapping"
)

// openLedger opens the ledger, and the table that the breaker shares with it.
func openLedger(settings env.WorkerSettings) (*dynamo.Store, *ledger.Ledger, error) {
	table, err := dynamo.New(dynamo.Config{API: newTable(settings.AWS), Table: settings.LedgerTable})
	if err != nil {
		return nil, nil, err
	}
	l, err := ledger.New(ledger.Config{Store: table})
	return table, l, err
}

// nowRuns starts recording which mapping runs, and closes the channel when that has ended.
// The handler does not depend on it.
func nowRuns(l *ledger.Ledger, config *mapping.Config, log *slog.Logger) <-chan struct{} {
	written := make(chan struct{})
	go func() {
		defer close(written)
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		if err := l.NowRuns(ctx, ledger.Running{Hash: config.Hash()}, string(config.Document())); err != nil {
			log.Warn("the mapping was not written into the ledger: a dry run cannot show what runs here", "err", err)
		}
	}()
	return written
}
