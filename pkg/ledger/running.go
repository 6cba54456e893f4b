package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// runningID is the key of what [Ledger.Running] returns.
const runningID = "#running"

// Running is the mapping that a bridge runs, or last ran.
type Running struct {
	// Hash identifies the mapping; see [Ledger.Mapping].
	Hash string `json:"hash"`
	// Since is when it began to run.
	Since time.Time `json:"since"`
	// File is where it was read from; "" on AWS, where it is part of the worker.
	File string `json:"file,omitempty"`
	// Problem is why the current file is not the running mapping; "" if it is.
	Problem string `json:"problem,omitempty"`
}

// NowRuns stores a mapping and records that it runs from now on. Since is set to the
// current time unless the same mapping ran before. Entries may refer to the mapping once
// NowRuns has returned.
func (l *Ledger) NowRuns(ctx context.Context, r Running, text string) error {
	was, err := l.Running(ctx)
	switch {
	case err == nil && was.Hash == r.Hash:
		r.Since = was.Since
	case err == nil, errors.Is(err, ErrNotFound):
		r.Since = l.now().UTC().Truncate(time.Second)
	default:
		return err
	}
	if r == was {
		return nil
	}
	// First, so that what is known to run is always there.
	if err := l.keepMapping(ctx, r.Hash, text); err != nil {
		return err
	}
	doc, err := json.Marshal(r)
	if err == nil {
		err = l.store.Set(ctx, Record{
			ID: runningID, Version: 1, State: "running", Doc: doc, ExpiresAt: l.now().Add(RetainOpen).UTC().Truncate(time.Second),
		})
	}
	if err != nil {
		return fmt.Errorf("record which mapping runs: %w", err)
	}
	return nil
}

// Running returns the mapping that runs, or last ran, or [ErrNotFound] if none was
// recorded.
func (l *Ledger) Running(ctx context.Context) (Running, error) {
	var running Running
	r, err := l.store.Get(ctx, runningID)
	if err == nil {
		err = json.Unmarshal(r.Doc, &running)
	}
	if err != nil {
		return Running{}, fmt.Errorf("read which mapping runs: %w", err)
	}
	return running, nil
}
