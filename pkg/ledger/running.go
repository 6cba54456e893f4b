package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// The keys of records about the bridge as a whole.
const (
	runningID     = "#running"
	restoredID    = "#restored"
	mappingPrefix = "#mapping/"
)

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
	// First, so that what is known to run is always there. It is kept for as long as what runs
	// from now on.
	kept := Record{ID: mappingPrefix + r.Hash, State: "mapping", Data: pack([]byte(text))}
	if err := l.note(ctx, "keep the mapping", kept, struct{}{}); err != nil {
		return err
	}
	return l.note(ctx, "record which mapping runs", Record{ID: runningID, State: "running"}, r)
}

// Running returns the mapping that runs, or last ran, or [ErrNotFound] if none was
// recorded.
func (l *Ledger) Running(ctx context.Context) (Running, error) {
	var running Running
	_, err := l.noted(ctx, "read which mapping runs", runningID, &running)
	return running, err
}

// Mapping returns the mapping with that hash, or [ErrNotFound].
func (l *Ledger) Mapping(ctx context.Context, hash string) (string, error) {
	r, err := l.store.Get(ctx, mappingPrefix+hash)
	var text []byte
	if err == nil {
		text, err = unpack(r.Data)
	}
	if err != nil {
		return "", fmt.Errorf("read mapping %s: %w", hash, err)
	}
	return string(text), nil
}

// NoteRestored records that the ledger was restored from a backup now: what happened after
// the backup is missing.
func (l *Ledger) NoteRestored(ctx context.Context) error {
	return l.note(ctx, "record that the ledger was restored", Record{ID: restoredID, State: "restored"}, l.now().UTC())
}

// RestoredAt returns when the ledger was last restored; the zero time if never.
func (l *Ledger) RestoredAt(ctx context.Context) (at time.Time, err error) {
	_, err = l.noted(ctx, "read when the ledger was restored", restoredID, &at)
	if errors.Is(err, ErrNotFound) {
		return at, nil
	}
	return at, err
}

// noted reads a record that is not about one delivery's progress, and its document into
// value. doing is for errors.
func (l *Ledger) noted(ctx context.Context, doing, id string, value any) (Record, error) {
	r, err := l.store.Get(ctx, id)
	if err == nil {
		err = json.Unmarshal(r.Doc, value)
	}
	if err != nil {
		return Record{}, fmt.Errorf("%s: %w", doing, err)
	}
	return r, nil
}

// note writes what noted reads, over whatever is stored.
func (l *Ledger) note(ctx context.Context, doing string, r Record, value any) (err error) {
	r.Version, r.ExpiresAt = 1, expiry(l.now(), RetainOpen)
	if r.Doc, err = json.Marshal(value); err == nil {
		err = l.store.Set(ctx, r)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return nil
}
