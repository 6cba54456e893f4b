package breaker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"fairbridge/pkg/ledger"
)

const (
	// prefix starts the id of a project's record. No delivery id starts with it.
	prefix = "#breaker/"
	// kept is how long after its last change a record is kept by a store that expires
	// records.
	kept = 400 * 24 * time.Hour
	// puts is how often a write is tried if its outcome is unknown.
	puts = 3
)

// Store keeps the records. The ledger's stores do, under ids that no delivery has. Put and
// Get behave as in [ledger.Store].
type Store interface {
	Get(ctx context.Context, id string) (ledger.Record, error)
	Put(ctx context.Context, r ledger.Record) error
}

// record is a state and the version of its record, 0 if there is none.
type record struct {
	State
	version int64
}

func load(ctx context.Context, s Store, project string) (record, error) {
	r, err := s.Get(ctx, prefix+project)
	if errors.Is(err, ledger.ErrNotFound) {
		return record{State: State{Project: project}}, nil
	}
	if err != nil {
		return record{}, fmt.Errorf("read the circuit breaker of project %q: %w", project, err)
	}
	return parse(r)
}

func parse(r ledger.Record) (record, error) {
	parsed := record{version: r.Version}
	if err := json.Unmarshal(r.Doc, &parsed.State); err != nil {
		return record{}, fmt.Errorf("read %s of the ledger: %w", r.ID, err)
	}
	parsed.Project = strings.TrimPrefix(r.ID, prefix)
	return parsed, nil
}

// save replaces old by next. It returns what is stored afterwards: next, or with a
// [*ledger.ConflictError] what another worker wrote. It recognises its own write if only
// the reply was lost.
func save(ctx context.Context, s Store, old record, next State, now time.Time) (stored record, err error) {
	next.UpdatedAt = now
	doc, err := json.Marshal(next)
	if err != nil {
		return old, fmt.Errorf("write the circuit breaker of project %q: %w", next.Project, err)
	}
	r := ledger.Record{
		ID: prefix + next.Project, Version: old.version + 1, State: stateOf(next, now),
		ExpiresAt: now.Add(kept).UTC().Truncate(time.Second), Doc: doc,
	}
	for range puts {
		err = s.Put(ctx, r)
		var conflict *ledger.ConflictError
		if errors.As(err, &conflict) {
			current, parseErr := parse(conflict.Current)
			switch {
			case parseErr != nil:
				return old, parseErr
			case conflict.Current.Version == r.Version && string(conflict.Current.Doc) == string(doc):
				return current, nil
			}
			return current, err
		}
		if err == nil {
			return record{State: next, version: r.Version}, nil
		}
		if ctx.Err() != nil {
			break
		}
	}
	return old, fmt.Errorf("write the circuit breaker of project %q: %w", next.Project, err)
}

// stateOf returns the record's state as a word, for people who look into the store.
func stateOf(s State, now time.Time) string {
	switch {
	case s.Paused(now):
		return "paused"
	case s.Open():
		return "open"
	}
	return "closed"
}
