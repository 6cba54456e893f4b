package sqlitedb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"time"
)

// Tx is the transaction of a function that was given to [DB.Write].
type Tx = sql.Tx

// maxBatch bounds how many functions share a transaction, and so how long the first of them
// waits for its answer.
const maxBatch = 128

// ErrClosed says that the database has been closed.
var ErrClosed = errors.New("database is closed")

// PanicError is a panic in a function passed to [DB.Write].
type PanicError struct {
	Value any    // the argument of panic
	Stack []byte // as from debug.Stack
}

// Error returns the panic's value, without the stack.
func (e *PanicError) Error() string { return fmt.Sprintf("write function panicked: %v", e.Value) }

var errGoexit = errors.New("write function ended its goroutine")

type job struct {
	ctx  context.Context
	fn   func(*Tx) error
	err  error      // fn's error, until the transaction is decided
	done chan error // the outcome; buffered
}

// writer is the goroutine that does all writes of this process.
type writer struct {
	ctx  context.Context // never ends: an interrupted commit would have an unknown outcome
	pool *sql.DB
	jobs chan *job // unbuffered: a caller that waits here can still give up
	idle chan struct{}
	// guard checks the file; give is called when it is lost.
	guard *guard
	give  func(*FileError)
	// gone is why the file is lost, for callers that were waiting already.
	gone error
	// calls is served by the goroutine that runs the functions; nil if there is none.
	calls chan func()

	mu      sync.RWMutex // held for reading while a caller is in do
	closed  bool
	stopped sync.Once
}

func startWriter(ctx context.Context, pool *sql.DB, guard *guard, give func(*FileError)) *writer {
	w := &writer{
		ctx: ctx, pool: pool, jobs: make(chan *job), idle: make(chan struct{}), guard: guard, give: give,
	}
	go w.run()
	return w
}

func (w *writer) do(ctx context.Context, fn func(*Tx) error) error {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if w.closed {
		return ErrClosed
	}
	j := &job{ctx: ctx, fn: fn, done: make(chan error, 1)}
	select {
	case w.jobs <- j:
		return <-j.done
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (w *writer) close() {
	w.stopped.Do(func() {
		w.mu.Lock() // waits until every caller has its answer
		w.closed = true
		w.mu.Unlock()
		close(w.jobs)
	})
	<-w.idle
}

func (w *writer) run() {
	defer close(w.idle)
	defer func() {
		if w.calls != nil {
			close(w.calls)
		}
	}()
	for first := range w.jobs {
		batch := w.gather(first)
		for len(batch) > 0 {
			batch = w.commit(batch)
		}
	}
}

// gather adds the callers that are waiting already to first. It does not wait for more:
// they arrive while the previous commit is written to disk. But callers that the last
// commit has just answered may be about to write again, so it yields the processor to them
// first; without that, batches alternate between one caller and all the others (measured
// with 16 callers: 1, 15, 1, 15, ...).
func (w *writer) gather(first *job) []*job {
	runtime.Gosched()
	batch := []*job{first}
	for len(batch) < maxBatch {
		select {
		case j, ok := <-w.jobs:
			if !ok {
				return batch
			}
			batch = append(batch, j)
		default:
			return batch
		}
	}
	return batch
}

// commit runs the batch in one transaction and answers its callers. All functions are
// answered only after the commit, even those that failed: the cause (a conflict, for
// example) may be another function's change that the commit did not keep. It returns the
// jobs to be run again, if one of them ended the transaction.
func (w *writer) commit(batch []*job) (again []*job) {
	if w.gone != nil {
		answer(batch, w.gone)
		return nil
	}
	tx, batch, err := w.begin(batch)
	if err != nil {
		answer(batch, err)
		return nil
	}
	if len(batch) == 0 {
		return nil
	}
	if err := w.guard.before(w.ctx, tx); err != nil {
		_ = tx.Rollback()
		answer(batch, w.lost(err))
		return nil
	}
	for i, j := range batch {
		if lost := w.apply(tx, j); !lost {
			continue
		}
		_ = tx.Rollback() // fails if there is nothing to roll back, which is fine
		j.done <- j.err
		return append(batch[:i:i], batch[i+1:]...)
	}
	if err := tx.Commit(); err != nil {
		answer(batch, fmt.Errorf("commit: %w", err))
		return nil
	}
	if err := w.guard.after(w.ctx); err != nil {
		answer(batch, w.lost(err))
		return nil
	}
	for _, j := range batch {
		j.done <- j.err
	}
	return nil
}

// lost gives the file up if err says that it is lost. A file that was removed is still open
// here, so its content is saved first.
func (w *writer) lost(err error) error {
	var e *FileError
	if !errors.As(err, &e) {
		return err
	}
	if e.Kind == ErrGone && e.Rescued == "" {
		to, err := rescue(w.ctx, w.pool, w.guard.path)
		if err == nil {
			e.Rescued = to
		} else {
			e.Err = errors.Join(e.Err, fmt.Errorf("save its content: %w", err))
		}
	}
	w.give(e)
	w.gone = e
	return e
}

func answer(batch []*job, err error) {
	for _, j := range batch {
		j.done <- err
	}
}

// begin takes the write lock, waiting for another process if necessary. Callers that have
// given up meanwhile are answered and are not in the returned batch; if none is left, there
// is no transaction.
func (w *writer) begin(batch []*job) (*Tx, []*job, error) {
	deadline := time.Now().Add(lockWait)
	for {
		batch = slices.DeleteFunc(batch, func(j *job) bool {
			err := j.ctx.Err()
			if err != nil {
				j.done <- err
			}
			return err != nil
		})
		if len(batch) == 0 {
			return nil, nil, nil
		}
		tx, err := w.pool.BeginTx(w.ctx, nil)
		if err == nil {
			return tx, batch, nil
		}
		if !isBusy(err) || time.Now().After(deadline) {
			return nil, batch, fmt.Errorf("begin: %w", err)
		}
	}
}

// apply runs one function in a savepoint, which it rolls back if the function failed, and
// stores the function's error in the job. lost means that the transaction has ended: SQLite
// ends it on some errors (disk full, an interrupted statement), or the function did.
func (w *writer) apply(tx *Tx, j *job) (lost bool) {
	if _, err := tx.Exec("SAVEPOINT job"); err != nil {
		j.err = fmt.Errorf("savepoint: %w", err)
		return true
	}
	j.err = w.call(j.fn, tx)
	end := "RELEASE job"
	if j.err != nil {
		end = "ROLLBACK TO job; RELEASE job"
	}
	if _, err := tx.Exec(end); err != nil {
		if j.err == nil {
			j.err = fmt.Errorf("write function broke its transaction: %w", err)
		}
		return true
	}
	return false
}

// call runs fn in another goroutine, so that neither a panic nor runtime.Goexit (a test's
// FailNow) ends the writer. It is the same one each time, unless fn ends it: the stack of a
// new one would have to grow for SQLite, which took a tenth of the time of a write.
func (w *writer) call(fn func(*Tx) error, tx *Tx) error {
	if w.calls == nil {
		w.calls = make(chan func())
		go func(calls <-chan func()) {
			for call := range calls {
				call()
			}
		}(w.calls)
	}
	result := make(chan error, 1)
	w.calls <- func() {
		err := errGoexit
		defer func() {
			if v := recover(); v != nil {
				err = &PanicError{Value: v, Stack: debug.Stack()}
			}
			result <- err
		}()
		err = fn(tx)
	}
	err := <-result
	if errors.Is(err, errGoexit) {
		w.calls = nil
	}
	return err
}
