package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

const restoredID = "#restored"

// NoteRestored records that the ledger was restored from a backup now: what happened after
// the backup is missing.
func (l *Ledger) NoteRestored(ctx context.Context) error {
	now := l.now().UTC()
	doc, err := json.Marshal(now)
	if err == nil {
		err = l.store.Set(ctx, Record{ID: restoredID, Version: 1, State: "restored", Doc: doc, ExpiresAt: now.Add(RetainOpen).Truncate(time.Second)})
	}
	if err != nil {
		return fmt.Errorf("record that the ledger was restored: %w", err)
	}
	return nil
}

// RestoredAt returns when the ledger was last restored; the zero time if never.
func (l *Ledger) RestoredAt(ctx context.Context) (at time.Time, err error) {
	r, err := l.store.Get(ctx, restoredID)
	if errors.Is(err, ErrNotFound) {
		return at, nil
	}
	if err == nil {
		err = json.Unmarshal(r.Doc, &at)
	}
	if err != nil {
		return at, fmt.Errorf("read when the ledger was restored: %w", err)
	}
	return at, nil
}
