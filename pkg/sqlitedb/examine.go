package sqlitedb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

// maxFindings bounds what [Examine] lists of a file that is full of damage.
const maxFindings = 20

// Examination is what [Examine] found.
type Examination struct {
	Bytes   int64 // of the database and its log
	Version int   // of the tables
	// Findings are what is wrong with the file; none if it is whole.
	Findings []string
}

// Examine reads the whole database at path, its indexes too, and changes nothing.
// Other processes may use it meanwhile.
//
// An error wraps [ErrDamaged] or [ErrGone] if the file cannot be read at all,
// [ErrNotDatabase], [ErrNewerSchema], or os.ErrNotExist if there is none.
func Examine(ctx context.Context, path string) (x Examination, err error) {
	pool, err := openReading(path)
	if err != nil {
		return x, fmt.Errorf("examine database: %w", err)
	}
	defer func() { err = errors.Join(err, pool.Close()) }()
	for _, suffix := range []string{"", sideFiles[0]} {
		if info, err := os.Stat(path + suffix); err == nil {
			x.Bytes += info.Size()
		}
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

// Examine looks for damage for as long as limit allows, and reports whether it
// came to the end. It reads every page once and compares no index with its table;
// see docs/operations.md for what that takes. The error for damage wraps
// [ErrDamaged].
func (d *DB) Examine(ctx context.Context, limit time.Duration) (whole bool, err error) {
	short, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	err = quickCheck(short, d.path)
	if err != nil && ctx.Err() == nil && short.Err() != nil {
		return false, nil
	}
	return err == nil, err
}

// quickCheck reads the file afresh, through a connection whose cache is empty.
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

// findings runs one of SQLite's two checks, whose only line is "ok" where nothing
// is wrong.
func findings(ctx context.Context, pool *sql.DB, check string) (found []string, err error) {
	lines, err := pool.QueryContext(ctx, check)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, lines.Close()) }()
	for lines.Next() {
		var line string
		if err := lines.Scan(&line); err != nil {
			return nil, err
		}
		if line != "ok" {
			found = append(found, strings.Join(strings.Fields(line), " "))
		}
	}
	return found, lines.Err()
}

// openReading opens one connection that can only read. It makes nothing where
// nothing is.
func openReading(path string) (*sql.DB, error) {
	if err := present(path); err != nil {
		return nil, err
	}
	return openPool(path, 1, func(err error) error { return judge(path, err) },
		"mode=ro", pragma("busy_timeout", int(readBusyTimeout.Milliseconds())))
}
