package sqlitedb

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// sideFiles are what SQLite adds to a database's name for its write-ahead log and
// the log's index.
var sideFiles = []string{"-wal", "-shm"}

// ensureFile creates the database at path if there is none, and returns its path
// without symbolic links: beside that one the side files are. A file that is
// there is never opened here: to close it again would drop the locks that SQLite
// holds on it for this process (POSIX locks belong to the process).
//
// A file of no bytes is refused, and so is a missing one whose log is still
// there: SQLite would take either for a new database and delete the log.
func ensureFile(ctx context.Context, path string) (string, error) {
	err := present(path)
	if errors.Is(err, os.ErrNotExist) {
		// Another process may be first, which is as good.
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

// present returns nil if there is a file at path that may be a database, and an
// error that wraps os.ErrNotExist only if nothing of one is there.
func present(path string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		if _, e := os.Lstat(path + "-wal"); e == nil {
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

// create makes a new database with all its tables. Once begun it is not cancelled:
// it takes milliseconds, and a connection of SQLite that was interrupted does not
// fold its log into the database when it is closed.
func create(ctx context.Context, path string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	ctx = context.WithoutCancel(ctx)
	return publish(path, func(temporary string) error {
		// publish brings it to the disk, in one go.
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

// publish makes a file for the owner only: it holds the API key, and SQLite gives
// the side files the same mode. The file has another name until fill has filled it
// and it is on disk, so a crash leaves no half of one at path, and a file of no
// bytes is never one that was being made. A file that is at path is left alone:
// the error wraps os.ErrExist.
func publish(path string, fill func(temporary string) error) (err error) {
	temporary := path + ".new-" + rand.Text()
	defer func() {
		for _, name := range append([]string{""}, sideFiles...) {
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

// folded returns an error if a database that nobody has open has a log: what is in
// it is missing from the database.
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

// restrictModes takes the database and its side files away from group and others.
func restrictModes(path string) error {
	for _, name := range append([]string{""}, sideFiles...) {
		if err := RestrictMode(path + name); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

// RestrictMode takes a file away from group and others.
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

// syncDir makes a new file's name durable; otherwise a power cut soon after the
// first commit could lose the whole file. Not every file system can do it, so a
// refusal is no error.
func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	_ = f.Sync()
	return f.Close()
}
