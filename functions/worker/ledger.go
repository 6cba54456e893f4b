package main

import (
	"context"
	"time"

	"fairbridge/pkg/ledger"
	"fairbridge/pkg/mapping"
)

// nowRuns begins to write down which mapping runs here, and sends how that ended.
// The handler does without.
func nowRuns(l *ledger.Ledger, config *mapping.Config) <-chan error {
	written := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		written <- l.NowRuns(ctx, ledger.Running{Hash: config.Hash()}, string(config.Document()))
	}()
	return written
}
