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

// stamp is the time in the names of files that are kept, fine enough for two in a row.
const stamp = "20060102T150405.000000Z"

// Backup copies the database at from, as it is at this moment, to the new file to.
// Other processes may go on writing. The copy is read through before it gets its
// name, is on disk when Backup returns, and is for the owner only. A file that is
// at to is left alone; the error then wraps os.ErrExist.
func Backup(ctx context.Context, from, to string) error {
	pool, err := openReading(from)
	if err == nil {
		to, err = filepath.Abs(to) // SQLite would read file:x as a URI
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

// Restore puts a copy of the database at from in the place of the one at path,
// which nobody may use meanwhile, and returns where the one that was there is
// kept; "" if there was none.
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

// setAside gives the database at path a second name and takes its log away, which
// would otherwise be taken for that of the file that comes. A log that is whole is
// folded in first, so that a crash in between leaves a whole database at path.
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

// copyTo writes a copy of an open database into a new file. VACUUM INTO reads in
// one transaction, and takes an empty file for its target.
func copyTo(ctx context.Context, pool *sql.DB, to string) error {
	if _, err := os.Lstat(to); err == nil { // said before the work; publish makes sure
		return fmt.Errorf("%s: %w", to, os.ErrExist)
	}
	return publish(to, func(temporary string) error {
		if _, err := pool.ExecContext(ctx, "VACUUM INTO ?", temporary); err != nil {
			return err
		}
		return quickCheck(ctx, temporary)
	})
}

// rescue saves what a removed or replaced file holds, while it is still open.
func rescue(ctx context.Context, pool *sql.DB, path string) (string, error) {
	to := path + ".rescued-" + time.Now().UTC().Format(stamp)
	return to, copyTo(ctx, pool, to)
}
