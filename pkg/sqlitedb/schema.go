package sqlitedb

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"time"

	"fairbridge/pkg/internal/sleep"
)

const (
	// applicationID marks the file as FairBridge's ("FBrg"), so that another program's
	// database is not mistaken for it.
	applicationID = 0x46427267
	// schemaVersion is the file's user_version. A change of a table increments it and adds
	// schema/N.sql, which migrates a file from version N-1. Files that have been released
	// are never edited: testdata has a file of each version.
	schemaVersion = 3
	// unstepped is the last version without a migration.
	unstepped = 1
)

//go:embed schema/*.sql
var steps embed.FS

var (
	// ErrNotDatabase means that the file is not a FairBridge database.
	ErrNotDatabase = errors.New("not a FairBridge database")
	// ErrNewerSchema means that a later version of FairBridge wrote the file.
	ErrNewerSchema = errors.New("written by a newer version of FairBridge")
)

// prepare migrates the tables to this program's version. It may run in several processes at
// the same time.
func prepare(ctx context.Context, pool *sql.DB) error {
	deadline := time.Now().Add(lockWait)
	for {
		err := migrate(ctx, pool)
		if err == nil || !isBusy(err) || time.Now().After(deadline) {
			return err
		}
		if err := sleep.For(ctx, 5*time.Millisecond); err != nil {
			return err
		}
	}
}

// migrate runs all migrations in one transaction: after a crash, either all of them or none
// have happened.
func migrate(ctx context.Context, pool *sql.DB) error {
	version, err := fileVersion(ctx, pool)
	if err != nil || version == schemaVersion {
		return err
	}
	tx, err := pool.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // does nothing after Commit
	// Another process may have been faster.
	if version, err = fileVersion(ctx, tx); err != nil {
		return err
	}
	if err := takeSteps(ctx, tx, version); err != nil {
		return err
	}
	return tx.Commit()
}

func takeSteps(ctx context.Context, tx *sql.Tx, version int) error {
	for n := max(version, unstepped) + 1; n <= schemaVersion; n++ {
		step, err := steps.ReadFile(fmt.Sprintf("schema/%d.sql", n))
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, string(step)); err != nil {
			return fmt.Errorf("change the tables to version %d: %w", n, err)
		}
	}
	_, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d", applicationID, schemaVersion))
	return err
}

type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// fileVersion returns the version of the file's tables, or an error for a file that this
// program must not use.
func fileVersion(ctx context.Context, q querier) (version int, err error) {
	var id int
	err = q.QueryRowContext(ctx, `SELECT
		(SELECT application_id FROM pragma_application_id),
		(SELECT user_version FROM pragma_user_version)`).Scan(&id, &version)
	switch {
	case err != nil:
		return 0, err
	case id != applicationID:
		return 0, fmt.Errorf("an SQLite file of another program: %w", ErrNotDatabase)
	case version > schemaVersion:
		return 0, fmt.Errorf("schema version %d, this program knows %d: %w", version, schemaVersion, ErrNewerSchema)
	}
	return version, nil
}
