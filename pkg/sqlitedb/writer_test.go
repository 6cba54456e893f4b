package sqlitedb_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"fairbridge/pkg/sqlitedb"
)

var errRefused = errors.New("refused")

func TestWriteReturnsWithTheChangeVisible(t *testing.T) {
	d := openTable(t)
	for _, body := range []string{"one", "two"} {
		if err := d.Write(t.Context(), insert(body)); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := bodies(t, d), []string{"one", "two"}; !slices.Equal(got, want) {
		t.Fatalf("got %q, want %q", got, want)
	}
}

// TestFunctionsFailAlone runs every kind of failing function concurrently with good ones:
// the good ones are all committed, the bad ones leave nothing, and each caller gets its own
// result.
func TestFunctionsFailAlone(t *testing.T) {
	d := openTable(t)
	bad := map[string]func(*sqlitedb.Tx) error{
		"refused": func(*sqlitedb.Tx) error { return errRefused },
		"panic":   func(*sqlitedb.Tx) error { panic("boom") },
		"goexit":  func(*sqlitedb.Tx) error { runtime.Goexit(); return nil },
		"constraint": func(tx *sqlitedb.Tx) error {
			_, err := tx.Exec("INSERT INTO t (body) VALUES (NULL)")
			return err
		},
		"rollback": func(tx *sqlitedb.Tx) error { // ends the transaction for all
			_, err := tx.Exec("ROLLBACK")
			return err
		},
		"interrupt": func(tx *sqlitedb.Tx) error { // makes SQLite end it
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Millisecond)
			defer cancel()
			_, err := tx.ExecContext(ctx, `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n)
				INSERT INTO t (body) SELECT i FROM n`)
			return err
		},
	}
	const rounds = 10
	var group sync.WaitGroup
	for i := range rounds {
		for name, fn := range bad {
			group.Go(func() {
				err := d.Write(t.Context(), func(tx *sqlitedb.Tx) error {
					if err := insert("bad " + name)(tx); err != nil {
						return err
					}
					return fn(tx)
				})
				if err == nil {
					t.Errorf("%s: no error", name)
				}
				if name == "refused" && !errors.Is(err, errRefused) {
					t.Errorf("got %v, want the function's error", err)
				}
				var panicked *sqlitedb.PanicError
				if name == "panic" && (!errors.As(err, &panicked) || panicked.Value != "boom" || len(panicked.Stack) == 0) {
					t.Errorf("got %v, want a PanicError with a stack", err)
				}
			})
			group.Go(func() {
				if err := d.Write(t.Context(), insert(fmt.Sprint("good ", name, i))); err != nil {
					t.Errorf("good function next to %s: %v", name, err)
				}
			})
		}
	}
	group.Wait()
	got := bodies(t, d)
	if len(got) != rounds*len(bad) {
		t.Errorf("%d rows, want %d", len(got), rounds*len(bad))
	}
	for _, body := range got {
		if strings.HasPrefix(body, "bad") {
			t.Errorf("%q was not rolled back", body)
		}
	}
}

// hold keeps the writer busy until release is called.
func hold(t *testing.T, d *sqlitedb.DB) (release func()) {
	t.Helper()
	held, let := make(chan struct{}), make(chan struct{})
	var group sync.WaitGroup
	group.Go(func() {
		err := d.Write(context.Background(), func(*sqlitedb.Tx) error {
			close(held)
			<-let
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
	<-held
	return sync.OnceFunc(func() { close(let); group.Wait() })
}

func TestWaitingWritesShareOneCommit(t *testing.T) {
	d := openTable(t)
	release := hold(t, d)
	const callers = 10
	var group sync.WaitGroup
	var mu sync.Mutex
	var uncommitted []int // what the read pool saw while each function ran
	for range callers {
		group.Go(func() {
			err := d.Write(t.Context(), func(tx *sqlitedb.Tx) error {
				if err := insert("x")(tx); err != nil {
					return err
				}
				mu.Lock()
				defer mu.Unlock()
				uncommitted = append(uncommitted, len(bodies(t, d)))
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	waitForGoroutines(t, "do", "select", callers)
	release()
	group.Wait()
	if want := make([]int, callers); !slices.Equal(uncommitted, want) {
		t.Errorf("rows committed while the functions ran: %v, want %v", uncommitted, want)
	}
	if got := len(bodies(t, d)); got != callers {
		t.Errorf("%d rows, want %d", got, callers)
	}
}

// waitForGoroutines waits until n goroutines are blocked in the named method of the writer,
// in the given way, such as "select".
func waitForGoroutines(t *testing.T, method, blocked string, n int) {
	t.Helper()
	stacks := make([]byte, 1<<20)
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); runtime.Gosched() {
		found := 0
		for stack := range strings.SplitSeq(string(stacks[:runtime.Stack(stacks, true)]), "\n\n") {
			header, _, _ := strings.Cut(stack, "\n")
			if strings.Contains(header, "["+blocked) && strings.Contains(stack, "db.(*writer)."+method+"(") {
				found++
			}
		}
		if found >= n {
			return
		}
	}
	t.Fatalf("no %d goroutines in %s", n, method)
}

func TestCallerThatLeavesBeforeItsTurn(t *testing.T) {
	d := openTable(t)
	release := hold(t, d)
	defer release()
	ctx, cancel := context.WithCancel(t.Context())
	left := make(chan error)
	go func() { left <- d.Write(ctx, insert("too late")) }()
	cancel()
	if err := <-left; !errors.Is(err, context.Canceled) { // while the writer is still busy
		t.Fatalf("got %v", err)
	}
	release()
	if got := bodies(t, d); len(got) != 0 {
		t.Fatalf("wrote %q", got)
	}
}

// TestCallerThatLeavesWhileTheFileIsLocked uses another handle for another process that
// holds the lock.
func TestCallerThatLeavesWhileTheFileIsLocked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	d, other := open(t, path), open(t, path)
	if err := d.Write(t.Context(), createTable); err != nil {
		t.Fatal(err)
	}
	release := hold(t, other)
	defer release()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := d.Write(ctx, insert("too late")); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got %v", err)
	}
	waiting := make(chan error)
	go func() { waiting <- d.Write(t.Context(), insert("patient")) }()
	release()
	if err := <-waiting; err != nil {
		t.Fatal(err)
	}
	if got, want := bodies(t, d), []string{"patient"}; !slices.Equal(got, want) {
		t.Fatalf("got %q, want %q", got, want)
	}
}

// TestFailedCommitFailsAll checks that a failed commit fails every caller, even one whose
// own function had failed.
func TestFailedCommitFailsAll(t *testing.T) {
	d := openTable(t)
	if err := d.Write(t.Context(), func(tx *sqlitedb.Tx) error {
		_, err := tx.Exec("CREATE TABLE child (t INTEGER REFERENCES t(id) DEFERRABLE INITIALLY DEFERRED)")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	release := hold(t, d)
	functions := []func(*sqlitedb.Tx) error{
		insert("innocent"),
		func(*sqlitedb.Tx) error { return errRefused },
		func(tx *sqlitedb.Tx) error { _, err := tx.Exec("INSERT INTO child (t) VALUES (99)"); return err },
	}
	errs := make(chan error, len(functions))
	for _, fn := range functions {
		go func() { errs <- d.Write(t.Context(), fn) }()
	}
	waitForGoroutines(t, "do", "select", len(functions))
	release()
	for range functions {
		if err := <-errs; err == nil || errors.Is(err, errRefused) {
			t.Errorf("got %v, want the error of the commit", err)
		}
	}
	if got := bodies(t, d); len(got) != 0 {
		t.Errorf("wrote %q", got)
	}
	if err := d.Write(t.Context(), insert("afterwards")); err != nil {
		t.Error(err)
	}
}

func TestCloseDrains(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	d, err := sqlitedb.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Write(t.Context(), createTable); err != nil {
		t.Fatal(err)
	}
	release := hold(t, d)
	const callers = 5
	errs := make(chan error, callers)
	for range callers {
		go func() { errs <- d.Write(t.Context(), insert("waiting")) }()
	}
	waitForGoroutines(t, "do", "select", callers)
	closed := make(chan error)
	go func() { closed <- d.Close() }()
	waitForGoroutines(t, "close", "sync.RWMutex.Lock", 1)
	release()
	for range callers {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
	if err := d.Write(t.Context(), insert("late")); !errors.Is(err, sqlitedb.ErrClosed) {
		t.Errorf("write after close: %v", err)
	}
	if err := d.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}
	if got := bodies(t, open(t, path)); len(got) != callers {
		t.Errorf("%d rows, want %d", len(got), callers)
	}
}
