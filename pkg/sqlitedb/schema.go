package sqlitedb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	sqlite3 "modernc.org/sqlite/lib"
)

const (
	// applicationID marks the file as FairBridge's ("FBrg"), so that another
	// program's database is not taken for one of ours.
	applicationID = 0x46427267
	// schemaVersion counts the changes to the tables in the file that an older
	// program could not work with. Whoever owns a table creates it with CREATE
	// TABLE IF NOT EXISTS; a change of one needs a new version and a step here.
	schemaVersion = 1
)

var (
	// ErrNotDatabase says that the file is not a FairBridge database.
	ErrNotDatabase = errors.New("not a FairBridge database")
	// ErrNewerSchema says that a later version of FairBridge wrote the file.
	ErrNewerSchema = errors.New("written by a newer version of FairBridge")
)

// prepare makes a new file ours and checks one that is there. It may run in
// several processes at once.
func prepare(ctx context.Context, pool *sql.DB) error {
	// Switching a new file to WAL needs it alone and does not wait by itself.
	deadline := time.Now().Add(lockWait)
	for {
		err := identify(ctx, pool)
		switch {
		case err == nil:
			return nil
		case primaryCode(err) == sqlite3.SQLITE_NOTADB:
			return ErrNotDatabase
		case !isBusy(err) || time.Now().After(deadline):
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func identify(ctx context.Context, pool *sql.DB) error {
	known, err := check(ctx, pool)
	if err != nil || known {
		return err
	}
	tx, err := pool.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // after Commit there is nothing to roll back
	// Another process may have been first.
	if known, err := check(ctx, tx); err != nil || known {
		return err
	}
	mark := fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d", applicationID, schemaVersion)
	if _, err := tx.ExecContext(ctx, mark); err != nil {
		return err
	}
	return tx.Commit()
}

type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// check reports whether the file carries our mark. It is false for an empty
// file and an error for a file that this program must not touch.
func check(ctx context.Context, q querier) (known bool, err error) {
	var id, version, objects int
	err = q.QueryRowContext(ctx, `SELECT
		(SELECT application_id FROM pragma_application_id),
		(SELECT user_version FROM pragma_user_version),
		(SELECT count(*) FROM sqlite_schema)`).Scan(&id, &version, &objects)
	switch {
	case err != nil:
		return false, err
	case id == 0 && version == 0 && objects == 0:
		return false, nil
	case id != applicationID:
		return false, fmt.Errorf("an SQLite file of another program: %w", ErrNotDatabase)
	case version > schemaVersion:
		return false, fmt.Errorf("schema version %d, this program knows %d: %w", version, schemaVersion, ErrNewerSchema)
	}
	return true, nil
}
