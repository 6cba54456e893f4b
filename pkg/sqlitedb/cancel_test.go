package sqlitedb_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"

	"modernc.org/sqlite"

	"fairbridge/pkg/sqlitedb"
)

// stepContext is cancelled at the n-th call of Err or Done, and so at every step of the
// code that uses it, including the driver's.
type stepContext struct {
	context.Context
	cancel context.CancelFunc
	left   atomic.Int64
}

func newStepContext(ctx context.Context, n int) *stepContext {
	s := &stepContext{}
	s.Context, s.cancel = context.WithCancel(ctx)
	s.left.Store(int64(n))
	return s
}

func (s *stepContext) step() {
	if s.left.Add(-1) == 0 {
		s.cancel()
	}
}

// Done implements context.Context.
func (s *stepContext) Done() <-chan struct{} {
	s.step()
	return s.Context.Done()
}

// Err implements context.Context.
func (s *stepContext) Err() error {
	s.step()
	return s.Context.Err()
}

// TestOpenCancelledAtEveryStep checks that a first start which is cancelled leaves either
// nothing or a complete database.
func TestOpenCancelledAtEveryStep(t *testing.T) {
	reached := false
	for n := 1; !reached; n++ {
		path := filepath.Join(t.TempDir(), "test.db")
		ctx := newStepContext(t.Context(), n)
		d, err := sqlitedb.Open(ctx, path)
		reached = ctx.left.Load() > 0
		ctx.cancel()
		switch {
		case err == nil:
			must(t, d.Close())
		case !errors.Is(err, context.Canceled):
			t.Errorf("cancelled at step %d: %v", n, err)
		}
		wantWhole(t, path, fmt.Sprintf("cancelled at step %d", n))
		if n > 10_000 {
			t.Fatal("Open never succeeds")
		}
	}
}

// TestOpenCancelledAtItsCommit: a context that is cancelled while SQLite commits leaves the
// connection interrupted, and an interrupted connection does not checkpoint its log when it
// is closed.
func TestOpenCancelledAtItsCommit(t *testing.T) {
	var cancel atomic.Pointer[context.CancelFunc]
	sqlite.RegisterConnectionHook(func(conn sqlite.ExecQuerierContext, _ string) error {
		conn.(sqlite.HookRegisterer).RegisterCommitHook(func() int32 {
			if f := cancel.Load(); f != nil {
				(*f)()
			}
			return 0
		})
		return nil
	})
	for n := range 50 {
		path := filepath.Join(t.TempDir(), "test.db")
		ctx, stop := context.WithCancel(t.Context())
		cancel.Store(&stop)
		d, err := sqlitedb.Open(ctx, path)
		cancel.Store(nil)
		stop()
		if err == nil {
			must(t, d.Close())
		}
		wantWhole(t, path, fmt.Sprintf("cancelled at its commit, %d", n))
	}
}

func wantWhole(t *testing.T, path, when string) {
	t.Helper()
	d, err := sqlitedb.Open(t.Context(), path)
	if err != nil {
		t.Fatalf("%s: the next start: %v", when, err)
	}
	must(t, d.Write(t.Context(), createTable))
	must(t, d.Close())
}
