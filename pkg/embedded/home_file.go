package embedded

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"fairbridge/pkg/internal/shellword"
	"fairbridge/pkg/sqlitedb"
)

// examineFor is how long a start searches for damage. Damage that it does not reach is
// found when it is met.
const examineFor = 10 * time.Second

// Examine searches the home's file for damage, for at most 10 s, and reports whether it
// finished.
func (h *Home) Examine(ctx context.Context) (whole bool, err error) {
	whole, err = h.DB.Examine(ctx, examineFor)
	return whole, h.Explain(err)
}

// Watch returns nil when ctx ends, and an error as soon as the home's file is found
// damaged, removed or replaced. From then on nothing is written to it, and the process
// should end.
func (h *Home) Watch(ctx context.Context) error { return h.Explain(h.DB.Watch(ctx)) }

// Examine reads the whole home in dir, which may be in use, and changes nothing. Findings
// are what is wrong with it. The error for a home that cannot be read at all says how to
// recover.
func Examine(ctx context.Context, dir string) (sqlitedb.Examination, error) {
	x, err := sqlitedb.Examine(ctx, filepath.Join(dir, databaseFile))
	if err == nil && len(x.Findings) > 0 {
		err = &sqlitedb.FileError{Path: filepath.Join(dir, databaseFile), Kind: sqlitedb.ErrDamaged, Detail: x.Findings[0]}
	}
	return x, explain(dir, err)
}

// Backup copies the home in dir, which may be in use, to the new file to: a database with
// everything in the home, including secrets, as of one moment. The error wraps os.ErrExist
// if the file exists.
func Backup(ctx context.Context, dir, to string) error {
	return explain(dir, sqlitedb.Backup(ctx, filepath.Join(dir, databaseFile), to))
}

// Restore puts the backup from into the home in dir, which it creates if necessary, and
// returns where the previous database is kept; "" if there was none. It returns [ErrLocked]
// if a bridge runs there.
func Restore(ctx context.Context, from, dir string) (kept string, err error) {
	if _, err := os.Stat(from); err != nil {
		return "", fmt.Errorf("restore home: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("restore home: %w", err)
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return "", fmt.Errorf("restore home: %w", err)
	}
	held := newLocks(dir)
	if err := held.lock(); err != nil {
		return "", fmt.Errorf("restore home %s: %w", dir, err)
	}
	kept, err = sqlitedb.Restore(ctx, from, filepath.Join(dir, databaseFile))
	return kept, errors.Join(err, held.close())
}

// Explain adds instructions for recovery to an error about the home's file. It returns
// other errors, and nil, unchanged.
func (h *Home) Explain(err error) error { return explain(h.Dir, err) }

// explainedError is an error with instructions.
type explainedError struct {
	error
	advice string
}

func (e *explainedError) Error() string { return e.error.Error() + "\n" + e.advice }
func (e *explainedError) Unwrap() error { return e.error }

// explain adds what to do to an error about the home in dir.
func explain(dir string, err error) error {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w; run this as the user that owns the folder, or name another with --data", err)
	case errors.Is(err, syscall.ENOTDIR):
		return fmt.Errorf("%w; name a folder with --data", err)
	case errors.Is(err, sqlitedb.ErrNewerSchema):
		return fmt.Errorf("%w; install that version, or restore a backup from before its first start (docs/operations.md)", err)
	}
	var lost *sqlitedb.FileError
	var explained *explainedError
	if !errors.As(err, &lost) || errors.As(err, &explained) {
		return err
	}
	folder := shellword.Quote(dir)
	if lost.Rescued != "" {
		return &explainedError{err, fmt.Sprintf("Nothing more is accepted. All that it held was saved; put it back with\n  fairbridge restore %s --data %s",
			shellword.Quote(lost.Rescued), folder)}
	}
	return &explainedError{err, fmt.Sprintf(`Nothing is accepted into it. Copy the folder %[1]s as it is; then put a backup in its place with
  fairbridge restore BACKUP --data %[1]s
docs/operations.md says how to get back what can still be read without one`, folder)}
}

// Size returns the size of a home's database and its write-ahead log in bytes.
func Size(dir string) (int64, error) { return sqlitedb.Size(filepath.Join(dir, databaseFile)) }
