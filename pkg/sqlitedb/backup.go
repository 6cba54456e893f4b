package sqlitedb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// stamp is the time format in the names of kept files, precise enough for two in a row.
const stamp = "20060102T150405.000000Z"

// Backup copies the database at from, as of this moment, to the new file to, while other
// processes may continue to write. The copy is verified before it gets its name, is on disk
// when Backup returns, and is readable by the owner only. An existing file at to is not
// changed; the error then wraps os.ErrExist.
func Backup(ctx context.Context, from, to string) error {
	pool, err := openReading(from)
	if err == nil {
		to, err = filepath.Abs(to) // SQLite would treat file:x as a URI
	}
	if err != nil {
		return fmt.Errorf("back up database: %w", err)
	}
	_, err = fileVersion(ctx, pool)
	if err == nil {
		err = copyTo(ctx, pool, to)
	}
	if err := errors.Join(err, pool.Close()); err != nil {
		return fmt.Errorf("back up database %s: %w", from, err)
	}
	return nil
}

// Restore replaces the database at path, which nobody may be using, by a copy of the one at
// from. It returns where the previous file is kept; "" if there was none.
func Restore(ctx context.Context, from, path string) (kept string, err error) {
	if kept, err = restore(ctx, from, path); err != nil {
		return "", fmt.Errorf("restore database %s from %s: %w", path, from, err)
	}
	return kept, nil
}

func restore(ctx context.Context, from, path string) (kept string, err error) {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	fresh := path + ".restoring"
	if err := os.Remove(fresh); err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	if err := Backup(ctx, from, fresh); err != nil {
		return "", err
	}
	if kept, err = setAside(ctx, path); err != nil {
		return "", errors.Join(err, os.Remove(fresh))
	}
	if err := os.Rename(fresh, path); err != nil {
		return "", err
	}
	return kept, syncDir(filepath.Dir(path))
}

// setAside gives the database at path a second name and removes its log, which would
// otherwise be applied to the new file. A log with content is folded into the database
// first, so that a crash in between leaves a complete database at path.
func setAside(ctx context.Context, path string) (kept string, err error) {
	err = present(path)
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	if err == nil && quickCheck(ctx, path) == nil {
		d, err := Open(ctx, path)
		if err != nil {
			return "", err
		}
		if err := errors.Join(d.Close(), folded(path)); err != nil {
			return "", err
		}
	}
	kept = path + ".before-restore-" + time.Now().UTC().Format(stamp)
	if err := os.Link(path, kept); err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	for _, suffix := range sideFiles {
		if err := os.Rename(path+suffix, kept+suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			return "", err
		}
	}
	return kept, nil
}

// copyTo writes a copy of an open database into a new file. VACUUM INTO reads in one
// transaction, and accepts an empty file as its target.
func copyTo(ctx context.Context, pool *sql.DB, to string) error {
	if _, err := os.Lstat(to); err == nil { // checked before the work; publish enforces it
		return fmt.Errorf("%s: %w", to, os.ErrExist)
	}
	return publish(to, func(temporary string) error {
		if _, err := pool.ExecContext(ctx, "VACUUM INTO ?", temporary); err != nil {
			return err
		}
		return quickCheck(ctx, temporary)
	})
}

// rescue saves the content of a removed or replaced file while it is still open.
func rescue(ctx context.Context, pool *sql.DB, path string) (string, error) {
	to := path + ".rescued-" + time.Now().UTC().Format(stamp)
	return to, copyTo(ctx, pool, to)
}
