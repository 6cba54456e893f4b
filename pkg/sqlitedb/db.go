// Package sqlitedb is the one SQLite file of the embedded home: opened so that what
// was committed survives a crash, and written through a group commit, so that
// concurrent writers share one fsync.
//
// Several processes may have the file open at the same time (`fairbridge run`
// and `fairbridge dlq --data DIR`): SQLite's locks keep them apart.
package sqlitedb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

const (
	// lockWait is how long a write waits for another process to let go of the
	// file before it fails. Other processes hold the lock for milliseconds.
	lockWait = 30 * time.Second
	// writeBusyTimeout is how long SQLite itself waits for that lock. It is
	// short, since the writer must notice in between that callers have given up.
	writeBusyTimeout = 100 * time.Millisecond
	// readBusyTimeout: a reader in WAL mode waits only while another process
	// recovers or closes the file.
	readBusyTimeout = 5 * time.Second
	// readers bounds the connections of the read pool, and with them the memory
	// of their page caches (2 MiB each at most).
	readers = 8
	// walSizeLimit is what a checkpoint leaves of the write-ahead log, in bytes:
	// a burst of large messages must not keep its disk space for good.
	walSizeLimit = 16 << 20
)

// DB is an open database file. It is safe for concurrent use.
type DB struct {
	write  *sql.DB
	read   *sql.DB
	writer *writer
}

// Open opens the database file at path and creates it, with mode 0600, if it
// is not there; its folder must exist. The file is in WAL mode with
// synchronous=FULL: a commit is on disk when it returns.
//
// An error wraps [ErrNotDatabase] if the file is something else than a
// FairBridge database, and [ErrNewerSchema] if a later version of FairBridge
// has written it.
func Open(ctx context.Context, path string) (*DB, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	if err := ensureFile(path); err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	d := &DB{}
	// One connection writes. _txlock=immediate takes the write lock at BEGIN: a
	// transaction that reads first and locks later could not be retried.
	d.write, err = openPool(path, 1, "_txlock=immediate",
		pragma("busy_timeout", int(writeBusyTimeout.Milliseconds())),
		"_pragma=journal_mode(WAL)", "_pragma=synchronous(FULL)", "_pragma=foreign_keys(1)",
		// Without these two an fsync on macOS does not reach the disk.
		"_pragma=fullfsync(1)", "_pragma=checkpoint_fullfsync(1)",
		pragma("journal_size_limit", walSizeLimit))
	if err != nil {
		return nil, fmt.Errorf("open database %s: %w", path, err)
	}
	if err := prepare(ctx, d.write); err != nil {
		return nil, fmt.Errorf("open database %s: %w", path, errors.Join(err, d.write.Close()))
	}
	d.read, err = openPool(path, readers,
		pragma("busy_timeout", int(readBusyTimeout.Milliseconds())), "_pragma=query_only(1)")
	if err != nil {
		return nil, fmt.Errorf("open database %s: %w", path, errors.Join(err, d.write.Close()))
	}
	d.writer = startWriter(context.WithoutCancel(ctx), d.write)
	return d, nil
}

// Write runs fn in a transaction and returns after the commit is on disk, or
// with fn's error, in which case fn has changed nothing.
//
// Functions of concurrent callers run one after the other in one transaction,
// each in a savepoint, and share its commit. So fn sees what the functions
// before it wrote, and must be quick. It may run a second time, if the
// transaction broke under another's function: only its last run counts. It
// must use no other connection than tx and must not end tx. It should not pass
// a context that can end to tx: an interrupted statement takes the whole
// transaction down and makes the others run again.
//
// A caller whose ctx ends before its turn gets ctx's error and fn does not
// run; from then on Write waits for the outcome, which is always known. A
// panic in fn is returned as a [*PanicError].
func (d *DB) Write(ctx context.Context, fn func(tx *Tx) error) error {
	return d.writer.do(ctx, fn)
}

// Read returns the read-only pool. A read sees every Write that has returned.
// Rows must be closed soon: an open read keeps the write-ahead log from being
// reused.
func (d *DB) Read() *sql.DB { return d.read }

// Close lets the writes in hand finish, refuses new ones with [ErrClosed] and
// closes the file.
func (d *DB) Close() error {
	d.writer.close()
	// The writing connection closes last: the last one out folds the
	// write-ahead log into the file.
	if err := errors.Join(d.read.Close(), d.write.Close()); err != nil {
		return fmt.Errorf("close database: %w", err)
	}
	return nil
}

func pragma(name string, value int) string {
	return "_pragma=" + name + "(" + strconv.Itoa(value) + ")"
}

// openPool opens a pool of at most conns connections, which stay open.
func openPool(path string, conns int, params ...string) (*sql.DB, error) {
	slashed := filepath.ToSlash(path)
	if !strings.HasPrefix(slashed, "/") { // C:/...
		slashed = "/" + slashed
	}
	dsn := (&url.URL{Scheme: "file", Path: slashed}).String() + "?_error_rc=1"
	for _, p := range params {
		dsn += "&" + p
	}
	pool, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, err
	}
	pool.SetMaxOpenConns(conns)
	pool.SetMaxIdleConns(conns)
	return pool, nil
}

// ensureFile creates path if it is missing, for the owner only: the file holds
// the API key, and SQLite gives its side files the same mode. A file that is
// there is never opened here: to close it again would drop the locks that
// SQLite holds on it for this process (POSIX locks belong to the process).
func ensureFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return restrictMode(path)
	}
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func restrictMode(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s: %w", path, ErrNotDatabase)
	}
	if info.Mode().Perm()&0o077 == 0 {
		return nil
	}
	return os.Chmod(path, 0o600)
}

// syncDir makes the new file's name durable; otherwise a power cut soon after
// the first commit could lose the whole file. Not every file system can do it,
// so a refusal is no error.
func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	_ = f.Sync()
	return f.Close()
}

// primaryCode returns the SQLite result code of err without its extension, or
// -1 if err is not SQLite's.
func primaryCode(err error) int {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return -1
	}
	return e.Code() & 0xff
}

func isBusy(err error) bool { return primaryCode(err) == sqlite3.SQLITE_BUSY }
