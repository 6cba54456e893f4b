// Package sqlite keeps the ledger in the embedded home's SQLite file.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"fairbridge/pkg/ledger"
	"fairbridge/pkg/sqlitedb"
)

// Store is a [ledger.Store] in a table of its own. Several stores, in several
// processes, may share a file.
type Store struct {
	db    *sqlitedb.DB
	now   func() time.Time
	prune pruner
}

var _ ledger.Store = (*Store)(nil)

// Option changes a [Store] that is being made.
type Option func(*Store)

// WithClock replaces time.Now, by which records expire and [Store.Recent] sorts.
func WithClock(now func() time.Time) Option { return func(s *Store) { s.now = now } }

// New returns the store in an open file, and removes some of what has expired;
// see [Store.Put].
func New(ctx context.Context, d *sqlitedb.DB, opts ...Option) (*Store, error) {
	s := &Store{db: d, now: time.Now}
	for _, opt := range opts {
		opt(s)
	}
	err := d.Write(ctx, func(tx *sqlitedb.Tx) error { return s.prune.run(tx, s.now(), "") })
	if err != nil {
		return nil, fmt.Errorf("open the ledger: %w", err)
	}
	return s, nil
}

// Put writes r, as [ledger.Store] says. A version above 1 of a record that is
// not there, or is no more, is [ledger.ErrNotFound].
//
// Once an hour a Put also removes the records that have expired, in its own
// transaction: at most 500, and the next Put goes on if there are more.
func (s *Store) Put(ctx context.Context, r ledger.Record) error {
	now := s.now()
	err := s.db.Write(ctx, func(tx *sqlitedb.Tx) error {
		written, err := write(tx, r, now)
		if err != nil {
			return err
		}
		if written {
			return s.prune.runIfDue(tx, now, r.ID)
		}
		current, err := get(context.WithoutCancel(ctx), tx, r.ID)
		if err != nil {
			return err
		}
		return &ledger.ConflictError{Current: current}
	})
	if err != nil {
		return fmt.Errorf("put version %d of delivery %s: %w", r.Version, r.ID, err)
	}
	return nil
}

// write reports whether the stored version let r in.
func write(tx *sqlitedb.Tx, r ledger.Record, now time.Time) (bool, error) {
	var result sql.Result
	var err error
	if r.Version == 1 {
		result, err = tx.Exec(`INSERT INTO ledger (id, version, state, expires_at, doc, updated_at)
			VALUES (?, 1, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING`,
			r.ID, r.State, r.ExpiresAt.Unix(), string(r.Doc), now.UnixMicro())
	} else {
		result, err = tx.Exec(`UPDATE ledger SET version = ?, state = ?, expires_at = ?, doc = ?, updated_at = ?
			WHERE id = ? AND version = ?`,
			r.Version, r.State, r.ExpiresAt.Unix(), string(r.Doc), now.UnixMicro(), r.ID, r.Version-1)
	}
	if err != nil {
		return false, err
	}
	rows, err := result.RowsAffected()
	return rows == 1, err
}

// Get returns the newest record, or [ledger.ErrNotFound].
func (s *Store) Get(ctx context.Context, id string) (ledger.Record, error) {
	r, err := get(ctx, s.db.Read(), id)
	if err != nil {
		return ledger.Record{}, fmt.Errorf("get delivery %s: %w", id, err)
	}
	return r, nil
}

// Recent returns the records that changed last, the latest first, at most
// limit of them; all if limit is negative.
func (s *Store) Recent(ctx context.Context, limit int) (records []ledger.Record, err error) {
	rows, err := s.db.Read().QueryContext(ctx,
		`SELECT `+columns+` FROM ledger ORDER BY updated_at DESC, id LIMIT ?`, limit)
	if err != nil {
		return nil, fmt.Errorf("list the ledger: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		r, err := scan(rows)
		if err != nil {
			return nil, fmt.Errorf("list the ledger: %w", err)
		}
		records = append(records, r)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("list the ledger: %w", err)
	}
	return records, nil
}

const columns = `id, version, state, expires_at, doc`

type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

func get(ctx context.Context, q querier, id string) (ledger.Record, error) {
	r, err := scan(q.QueryRowContext(ctx, `SELECT `+columns+` FROM ledger WHERE id = ?`, id))
	if errors.Is(err, sql.ErrNoRows) {
		err = ledger.ErrNotFound
	}
	return r, err
}

func scan(row interface{ Scan(...any) error }) (ledger.Record, error) {
	var r ledger.Record
	var expiresAt int64
	if err := row.Scan(&r.ID, &r.Version, &r.State, &expiresAt, &r.Doc); err != nil {
		return ledger.Record{}, err
	}
	r.ExpiresAt = time.Unix(expiresAt, 0).UTC()
	return r, nil
}
