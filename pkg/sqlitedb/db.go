// Package sqlitedb is the one SQLite file of the embedded home. It is opened so that
// committed data survives a crash, and written through a group commit, so that concurrent
// writers share one fsync.
//
// Several processes may have the file open at the same time (`fairbridge run` and
// `fairbridge dlq --data DIR`): SQLite's locks keep them apart.
package sqlitedb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"modernc.org/sqlite"
)

const (
	// lockWait is how long a write waits for another process to release the file before it
	// fails. Other processes hold the lock for milliseconds.
	lockWait = 30 * time.Second
	// writeBusyTimeout is how long SQLite itself waits for that lock. It is short, so that
	// the writer notices in between that callers have given up.
	writeBusyTimeout = 100 * time.Millisecond
	// readBusyTimeout: a reader in WAL mode waits only while another process
	// recovers or closes the file.
	readBusyTimeout = 5 * time.Second
	// readers bounds the connections of the read pool, and with them the memory
	// of their page caches (2 MiB each at most).
	readers = 8
	// walSizeLimit is the size to which a checkpoint truncates the write-ahead log, in
	// bytes: a burst of large messages must not occupy disk space for good.
	walSizeLimit = 16 << 20
	// watchEvery is how often [DB.Watch] checks a file; each check is three calls of stat.
	watchEvery = time.Second
)

// DB is an open database file. It is safe for concurrent use.
type DB struct {
	path   string
	write  *sql.DB
	read   *sql.DB
	writer *writer
	// anchor is a connection that stays open. When the writing connection is replaced, as
	// after an interrupt, SQLite would otherwise treat it as the last one and remove the
	// log.
	anchor *sql.Conn

	end   sync.Once
	ended chan struct{} // closed once the file is no longer usable
	why   error         // set before ended is closed: a *FileError
}

// Open opens the database file at path, and creates it with mode 0600 if it does not exist;
// its folder must exist. The file is in WAL mode with synchronous=FULL: when a commit
// returns, it is on disk.
//
// An error wraps [ErrNotDatabase] if the file is not a FairBridge database,
// [ErrNewerSchema] if a later version of FairBridge wrote it, and [ErrDamaged] or [ErrGone]
// if an existing one is not usable: an empty file is not a new database.
func Open(ctx context.Context, path string) (*DB, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	path, err = ensureFile(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	d := &DB{path: path, ended: make(chan struct{})}
	if err := d.open(ctx); err != nil {
		return nil, fmt.Errorf("open database %s: %w", path, errors.Join(err, d.closePools()))
	}
	return d, nil
}

func (d *DB) open(ctx context.Context) (err error) {
	if d.write, err = openWriting(d.path, d.judge); err != nil {
		return err
	}
	if err := prepare(ctx, d.write); err != nil {
		return err
	}
	d.read, err = openPool(d.path, readers+1, d.judge,
		existing, pragma("busy_timeout", int(readBusyTimeout.Milliseconds())), "_pragma=query_only(1)")
	if err != nil {
		return err
	}
	if d.anchor, err = d.read.Conn(ctx); err != nil {
		return err
	}
	if _, err := fileVersion(ctx, d.anchor); err != nil { // the first read opens the log
		return err
	}
	guard, err := newGuard(ctx, d.path, d.write)
	if err != nil {
		return err
	}
	d.writer = startWriter(context.WithoutCancel(ctx), d.write, guard, d.give)
	return nil
}

// judge sees every error from SQLite, and gives the file up if the error is final.
func (d *DB) judge(err error) error {
	err = judge(d.path, err)
	var e *FileError
	if errors.As(err, &e) {
		d.give(e)
	}
	return err
}

// give marks the file as unusable.
func (d *DB) give(why *FileError) {
	d.end.Do(func() {
		d.why = why
		close(d.ended)
	})
}

// failed returns why the file is unusable, nil if it is usable.
func (d *DB) failed() error {
	select {
	case <-d.ended:
		return d.why
	default:
		return nil
	}
}

// Watch checks the file each second, so that a file that nobody writes to is checked as
// well. It returns nil when ctx ends, and a [*FileError] as soon as the file is unusable,
// whoever noticed it.
func (d *DB) Watch(ctx context.Context) error {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-d.ended:
			return d.why
		case <-tick.C:
			// A permanent problem closes ended. Others, such as a file that stays locked,
			// are reported to every writer.
			_ = d.Write(ctx, func(*Tx) error { return nil })
		}
	}
}

// Path returns the path of the file, without symbolic links.
func (d *DB) Path() string { return d.path }

// Write runs fn in a transaction and returns after the commit is on disk, or with fn's
// error, in which case fn has changed nothing.
//
// Functions of concurrent callers run one after the other in one transaction, each in a
// savepoint, and share its commit. So fn sees what the functions before it wrote, and must
// be quick. It may run a second time, if the transaction failed in another caller's
// function: only its last run counts. It must use no connection other than tx and must not
// end tx. It should not pass tx a context that can end: an interrupted statement ends the
// whole transaction, and the others have to run again.
//
// If ctx ends before fn's turn, Write returns ctx's error and fn does not run; after that,
// Write waits for the outcome, which is always known. A panic in fn is returned as a
// [*PanicError].
//
// The file is checked before and after each commit. Once it has been found damaged, removed
// or replaced, every Write returns that [*FileError]: data that could not be read again is
// never reported as written.
func (d *DB) Write(ctx context.Context, fn func(tx *Tx) error) error {
	if err := d.failed(); err != nil {
		return err
	}
	return d.writer.do(ctx, fn)
}

// Read returns the read-only pool. A read sees every Write that has returned. Close rows
// soon: an open read keeps the write-ahead log from being reused.
func (d *DB) Read() *sql.DB { return d.read }

// Rows iterates over the rows of a query, of which it gets the results, and closes them.
func Rows(rows *sql.Rows, err error) iter.Seq2[*sql.Rows, error] {
	return func(yield func(*sql.Rows, error) bool) {
		if err != nil {
			yield(nil, err)
			return
		}
		defer rows.Close()
		for rows.Next() {
			if !yield(rows, nil) {
				return
			}
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			yield(nil, err)
		}
	}
}

// Close finishes the writes in progress, refuses new ones with [ErrClosed] and closes the
// file.
func (d *DB) Close() error {
	d.writer.close()
	if err := d.closePools(); err != nil {
		return fmt.Errorf("close database: %w", err)
	}
	return nil
}

// closePools closes the writing connection last: the last one folds the write-ahead log
// into the file. A damaged file and its log stay as they are, for a repair; that connection
// then lives as long as the process.
func (d *DB) closePools() error {
	var errs []error
	if d.anchor != nil {
		if err := d.anchor.Close(); !errors.Is(err, sql.ErrConnDone) {
			errs = append(errs, err)
		}
	}
	if d.read != nil {
		errs = append(errs, d.read.Close())
	}
	if d.write != nil && !errors.Is(d.failed(), ErrDamaged) {
		errs = append(errs, d.write.Close())
	}
	return errors.Join(errs...)
}

// existing keeps a new connection from creating the file again when it has been removed.
const existing = "mode=rw"

func pragma(name string, value int) string {
	return "_pragma=" + name + "(" + strconv.Itoa(value) + ")"
}

// openWriting opens the only writing connection. _txlock=immediate takes the write lock at
// BEGIN: a transaction that reads first and locks later could not be retried.
func openWriting(path string, judge func(error) error) (*sql.DB, error) {
	return openPool(path, 1, judge, existing, "_txlock=immediate",
		pragma("busy_timeout", int(writeBusyTimeout.Milliseconds())),
		"_pragma=journal_mode(WAL)", "_pragma=synchronous(FULL)", "_pragma=foreign_keys(1)",
		// Without these two an fsync on macOS does not reach the disk.
		"_pragma=fullfsync(1)", "_pragma=checkpoint_fullfsync(1)",
		pragma("journal_size_limit", walSizeLimit))
}

// openPool opens a pool of at most conns connections, which stay open and whose
// errors go through judge.
func openPool(path string, conns int, judge func(error) error, params ...string) (*sql.DB, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	slashed := filepath.ToSlash(path)
	if !strings.HasPrefix(slashed, "/") { // C:/...
		slashed = "/" + slashed
	}
	dsn := (&url.URL{Scheme: "file", Path: slashed}).String() + "?_error_rc=1"
	for _, p := range params {
		dsn += "&" + p
	}
	base, err := sqlite.NewConnector(dsn)
	if err != nil {
		return nil, err
	}
	pool := sql.OpenDB(connector{base, judge})
	pool.SetMaxOpenConns(conns)
	pool.SetMaxIdleConns(conns)
	return pool, nil
}
