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

// Store is a [ledger.Store] in a table of its own. Several stores, in several processes,
// may share a file.
type Store struct {
	db    *sqlitedb.DB
	now   func() time.Time
	prune pruner
}

var _ ledger.Store = (*Store)(nil)

// Config configures a [Store].
type Config struct {
	// DB is the open file. Required.
	DB *sqlitedb.DB
	// Now is the clock for expiry and for [Store.Recent]; the default is time.Now.
	Now func() time.Time
}

// New returns the store in an open file, and removes some expired records; see [Store.Put].
func New(ctx context.Context, c Config) (*Store, error) {
	s := &Store{db: c.DB, now: c.Now}
	if s.now == nil {
		s.now = time.Now
	}
	err := s.write(ctx, "open the ledger", func(tx *sqlitedb.Tx, now time.Time) error { return s.prune.run(tx, now, "") })
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Put writes r as [ledger.Store] specifies. For a version above 1 of a record that does not
// exist, or no longer does, it returns [ledger.ErrNotFound].
//
// Once an hour, a Put also removes up to 500 expired records in its own transaction; if
// there are more, the next Put continues. Only finished deliveries without a message in any
// queue of the file expire, so that a late copy is still recognised. Setting the clock
// makes nothing expire.
func (s *Store) Put(ctx context.Context, r ledger.Record) error {
	doing := fmt.Sprintf("put version %d of delivery %s", r.Version, r.ID)
	return s.write(ctx, doing, func(tx *sqlitedb.Tx, now time.Time) error {
		allowed, err := upsert(tx, r, now)
		if err != nil {
			return err
		}
		if allowed {
			return s.prune.runIfDue(tx, now, r.ID)
		}
		current, err := get(context.WithoutCancel(ctx), tx, r.ID)
		if err != nil {
			return err
		}
		return &ledger.ConflictError{Current: current}
	})
}

// write runs do in a transaction, after the expiry clock. doing is for errors.
func (s *Store) write(ctx context.Context, doing string, do func(*sqlitedb.Tx, time.Time) error) error {
	now := s.now()
	err := s.db.Write(ctx, func(tx *sqlitedb.Tx) error {
		if err := keepExpiry(tx, now); err != nil {
			return err
		}
		return do(tx, now)
	})
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return nil
}

// upsert writes r if the stored version allows it, and reports whether it does.
func upsert(tx *sqlitedb.Tx, r ledger.Record, now time.Time) (bool, error) {
	var result sql.Result
	var err error
	all := values(r, now)
	if r.Version == 1 {
		result, err = tx.Exec(insert+` ON CONFLICT (id) DO NOTHING`, all...)
	} else {
		result, err = tx.Exec(`UPDATE ledger SET version = ?2, state = ?3, expires_at = ?4 - `+ahead+`, doc = ?5, updated_at = ?6,
			attention = ?7, since = ?8, data = ?9, received = ?10, kind = ?11, app = ?12, ticket = ?13, reason = ?14, took = ?15
			WHERE id = ?1 AND version = ?2 - 1`, all[:len(all)-1]...)
	}
	if err != nil {
		return false, err
	}
	rows, err := result.RowsAffected()
	if err != nil || rows == 0 || r.Version == 1 {
		return rows == 1, err
	}
	// Apart, so that their index is left alone while they stay the same.
	_, err = tx.Exec(`UPDATE ledger SET words = ?2 WHERE id = ?1 AND words IS NOT ?2`, r.ID, all[len(all)-1])
	return true, err
}

const insert = `INSERT INTO ledger (id, version, state, expires_at, doc, updated_at, attention, since, data,
		received, kind, app, ticket, reason, took, words)
	VALUES (?1, ?2, ?3, ?4 - ` + ahead + `, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)`

// values are those of insert's columns, the words last.
func values(r ledger.Record, now time.Time) []any {
	attention := sql.NullString{String: r.Attention, Valid: r.Attention != ""}
	since := sql.NullInt64{Int64: r.Since.UnixMilli(), Valid: attention.Valid}
	all := []any{r.ID, r.Version, r.State, r.ExpiresAt.Unix(), string(r.Doc), now.UnixMicro(), attention, since, r.Data}
	return append(all, searched(r)...)
}

// Set writes r over whatever is stored.
func (s *Store) Set(ctx context.Context, r ledger.Record) error {
	return s.write(ctx, "write "+r.ID, func(tx *sqlitedb.Tx, now time.Time) error {
		_, err := tx.Exec(`INSERT OR REPLACE`+insert[len("INSERT"):], values(r, now)...)
		return err
	})
}

// Delete removes a record, if there is one.
func (s *Store) Delete(ctx context.Context, id string) error {
	return s.write(ctx, "remove "+id, func(tx *sqlitedb.Tx, _ time.Time) error {
		_, err := tx.Exec(`DELETE FROM ledger WHERE id = ?`, id)
		return err
	})
}

// Get returns the newest record, or [ledger.ErrNotFound].
func (s *Store) Get(ctx context.Context, id string) (ledger.Record, error) {
	r, err := get(ctx, s.db.Read(), id)
	if err != nil {
		return ledger.Record{}, fmt.Errorf("get delivery %s: %w", id, err)
	}
	return r, nil
}

// Recent returns at most limit records of deliveries, the last changed first; all of them
// if limit is negative.
func (s *Store) Recent(ctx context.Context, limit int) ([]ledger.Record, error) {
	return s.list(ctx, "list the ledger", `WHERE id NOT LIKE '#%' ORDER BY updated_at DESC, id LIMIT ?`, limit)
}

// Noted returns the records with an attention, the oldest first.
func (s *Store) Noted(ctx context.Context, attention string) ([]ledger.Record, error) {
	return s.list(ctx, "list what is noted as "+attention, `WHERE attention IS NOT NULL AND attention = ? ORDER BY since, id`, attention)
}

func (s *Store) list(ctx context.Context, doing, which string, args ...any) (records []ledger.Record, err error) {
	err = s.each(ctx, doing, `SELECT `+columns+` FROM ledger `+which, args, func(rows *sql.Rows) (bool, error) {
		r, err := scan(rows)
		records = append(records, r)
		return true, err
	})
	return records, err
}

// each calls visit for each row of a query until it returns false or an error. doing is for
// errors.
func (s *Store) each(ctx context.Context, doing, query string, args []any, visit func(*sql.Rows) (more bool, err error)) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("%s: %w", doing, err)
		}
	}()
	for row, err := range sqlitedb.Rows(s.db.Read().QueryContext(ctx, query, args...)) {
		if err != nil {
			return err
		}
		if more, err := visit(row); err != nil || !more {
			return err
		}
	}
	return nil
}

const columns = `id, version, state, expires_at + ` + ahead + `, doc, attention, since, data`

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
	var attention sql.NullString
	var since sql.NullInt64
	if err := row.Scan(&r.ID, &r.Version, &r.State, &expiresAt, &r.Doc, &attention, &since, &r.Data); err != nil {
		return ledger.Record{}, err
	}
	r.ExpiresAt = time.Unix(expiresAt, 0).UTC()
	if attention.Valid {
		r.Attention, r.Since = attention.String, time.UnixMilli(since.Int64).UTC()
	}
	return r, nil
}
