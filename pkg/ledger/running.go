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

// Running is the mapping that a bridge runs, or ran last.
type Running struct {
	// Hash names the mapping; see [Ledger.Mapping].
	Hash string `json:"hash"`
	// Since is since when it is the one that runs.
	Since time.Time `json:"since"`
	// File is where it was read from; "" on AWS, where it is a part of the worker.
	File string `json:"file,omitempty"`
	// Problem is why the file, as it is now, is not what runs; "" if it is.
	Problem string `json:"problem,omitempty"`
}

// NowRuns writes a mapping down, and that it is the one that runs from now on. Since
// is the time of the call, unless the same mapping ran before. An entry that names
// the mapping can rely on it from then on.
func (l *Ledger) NowRuns(ctx context.Context, r Running, text string) error {
	if err := l.keepMapping(ctx, r.Hash, text); err != nil {
		return err
	}
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
	doc, err := json.Marshal(r)
	if err == nil {
		err = l.store.Set(ctx, Record{
			ID: runningID, Version: 1, State: "running", Doc: doc, ExpiresAt: l.now().Add(RetainOpen).UTC().Truncate(time.Second),
		})
	}
	if err != nil {
		return fmt.Errorf("write down which mapping runs: %w", err)
	}
	return nil
}

// Running returns the mapping that runs, or ran last. It is [ErrNotFound] where none
// has run since that is written down.
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
