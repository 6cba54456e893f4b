package sqlitedb

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// suffixes are those of the database, its write-ahead log and that log's index; sideFiles
// are the last two.
var (
	suffixes  = []string{"", "-wal", "-shm"}
	sideFiles = suffixes[1:]
)

// Size returns the size of a database and its write-ahead log in bytes.
func Size(path string) (bytes int64, err error) {
	for _, suffix := range suffixes[:2] {
		info, err := os.Stat(path + suffix)
		switch {
		case err == nil:
			bytes += info.Size()
		case !errors.Is(err, os.ErrNotExist): // SQLite removes its log when the last connection closes
			return 0, fmt.Errorf("read the size of the database: %w", err)
		}
	}
	return bytes, nil
}

// ensureFile creates the database at path if there is none, and returns its path without
// symbolic links, since the side files are beside that one. It never opens an existing
// file: closing it again would drop the locks that SQLite holds on it for this process
// (POSIX locks belong to the process).
//
// It refuses an empty file, and a missing one whose log still exists: SQLite would treat
// either as a new database and delete the log.
func ensureFile(ctx context.Context, path string) (string, error) {
	err := present(path)
	if errors.Is(err, os.ErrNotExist) {
		// If another process is faster, its file is used.
		if err = create(ctx, path); err == nil || errors.Is(err, os.ErrExist) {
			err = present(path)
		}
	}
	if err != nil {
		return "", err
	}
	if path, err = filepath.EvalSymlinks(path); err != nil {
		return "", err
	}
	return path, restrictModes(path)
}

// present returns nil if there is a file at path that may be a database, and an error that
// wraps os.ErrNotExist only if nothing of one exists.
func present(path string) error {
	// The log comes first: it appears after the file that another process creates meanwhile.
	_, noLog := os.Lstat(path + "-wal")
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		if noLog == nil {
			return &FileError{Path: path, Kind: ErrGone, Detail: "only its log, " + filepath.Base(path) + "-wal, is still there"}
		}
		return err
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s: %w", path, ErrNotDatabase)
	case info.Size() == 0:
		return &FileError{Path: path, Kind: ErrDamaged, Detail: "it has no bytes"}
	}
	return nil
}

// create creates a new database with all its tables. It cannot be cancelled: it takes
// milliseconds, and an interrupted SQLite connection does not fold its log into the
// database when it is closed.
func create(ctx context.Context, path string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	ctx = context.WithoutCancel(ctx)
	return publish(path, func(temporary string) error {
		// publish syncs it to disk, once.
		pool, err := openPool(temporary, 1, func(err error) error { return err },
			"_pragma=journal_mode(WAL)", "_pragma=synchronous(OFF)")
		if err != nil {
			return err
		}
		tx, err := pool.BeginTx(ctx, nil)
		if err == nil {
			if err = takeSteps(ctx, tx, 0); err == nil {
				err = tx.Commit()
			}
		}
		return errors.Join(err, pool.Close())
	})
}

// publish creates a file that only the owner can read: it contains the API key, and SQLite
// gives the side files the same mode. The file has a temporary name until fill has written
// it and it is on disk, so a crash leaves no partial file at path, and an empty file there
// is never one that was being created. An existing file at path is not changed: the error
// wraps os.ErrExist.
func publish(path string, fill func(temporary string) error) (err error) {
	temporary := path + ".new-" + rand.Text()
	defer func() {
		for _, name := range suffixes {
			if e := os.Remove(temporary + name); !errors.Is(e, os.ErrNotExist) {
				err = errors.Join(err, e)
			}
		}
	}()
	f, err := os.OpenFile(temporary, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := fill(temporary); err != nil {
		return err
	}
	if err := folded(temporary); err != nil {
		return err
	}
	if err := syncFile(temporary); err != nil {
		return err
	}
	if err := os.Link(temporary, path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// folded returns an error if a database that nobody has open has a log: the log's content
// is missing from the database.
func folded(path string) error {
	info, err := os.Stat(path + "-wal")
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err == nil && info.Size() > 0:
		return fmt.Errorf("%s: its log was not folded in", path)
	}
	return err
}

// restrictModes removes the permissions of group and others from the database and its side
// files.
func restrictModes(path string) error {
	for _, name := range suffixes {
		if err := RestrictMode(path + name); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

// RestrictMode removes the permissions of group and others from a file.
func RestrictMode(path string) error {
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm()&0o077 == 0 {
		return err
	}
	return os.Chmod(path, info.Mode().Perm()&^0o077)
}

func syncFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// syncDir makes a new file's name durable; otherwise a power cut soon after the first
// commit could lose the whole file. Not every file system supports it, so a refusal is not
// an error.
func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	_ = f.Sync()
	return f.Close()
}
