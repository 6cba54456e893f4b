package sqlitedb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"
)

const maxFindings = 20

// Examination is the result of [Examine].
type Examination struct {
	Bytes   int64 // of the database and its log
	Version int   // of the tables
	// Findings are what is wrong with the file; none if it is intact.
	Findings []string
}

// Examine reads the whole database at path, including its indexes, and changes nothing.
// Other processes may use it at the same time.
//
// An error wraps [ErrDamaged] or [ErrGone] if the file cannot be read at all,
// [ErrNotDatabase], [ErrNewerSchema], or os.ErrNotExist if it does not exist.
func Examine(ctx context.Context, path string) (x Examination, err error) {
	pool, err := openReading(path)
	if err != nil {
		return x, fmt.Errorf("examine database: %w", err)
	}
	defer func() { err = errors.Join(err, pool.Close()) }()
	if x.Bytes, err = Size(path); err != nil {
		return x, fmt.Errorf("examine database: %w", err)
	}
	if x.Version, err = fileVersion(ctx, pool); err != nil {
		return x, fmt.Errorf("examine database %s: %w", path, err)
	}
	x.Findings, err = findings(ctx, pool, fmt.Sprintf("PRAGMA integrity_check(%d)", maxFindings))
	if err != nil {
		return x, fmt.Errorf("examine database %s: %w", path, err)
	}
	return x, nil
}

// Examine searches for damage for at most limit, and reports whether it finished. It reads
// every page once, and does not compare indexes with their tables; docs/operations.md says
// how long that takes. The error for damage wraps [ErrDamaged].
func (d *DB) Examine(ctx context.Context, limit time.Duration) (whole bool, err error) {
	short, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	err = quickCheck(short, d.path)
	if err != nil && ctx.Err() == nil && short.Err() != nil {
		return false, nil
	}
	return err == nil, err
}

// quickCheck reads the file through a new connection, whose cache is empty.
func quickCheck(ctx context.Context, path string) (err error) {
	pool, err := openReading(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, pool.Close()) }()
	found, err := findings(ctx, pool, "PRAGMA quick_check(1)")
	if err == nil && len(found) > 0 {
		err = &FileError{Path: path, Kind: ErrDamaged, Detail: found[0]}
	}
	return err
}

// findings runs one of SQLite's two checks, which prints only "ok" if nothing is wrong.
func findings(ctx context.Context, pool *sql.DB, check string) (found []string, err error) {
	for row, err := range Rows(pool.QueryContext(ctx, check)) {
		if err != nil {
			return nil, err
		}
		var line string
		if err := row.Scan(&line); err != nil {
			return nil, err
		}
		if line != "ok" {
			found = append(found, strings.Join(strings.Fields(line), " "))
		}
	}
	return found, nil
}

// openReading opens one read-only connection. It does not create a file.
func openReading(path string) (*sql.DB, error) {
	if err := present(path); err != nil {
		return nil, err
	}
	return openPool(path, 1, func(err error) error { return judge(path, err) },
		"mode=ro", pragma("busy_timeout", int(readBusyTimeout.Milliseconds())))
}
