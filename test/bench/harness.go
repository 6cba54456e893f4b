package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"testing"
)

// harness is a [testing.TB] outside of a test: the test packages that drive functions and
// fake their neighbours need one, and experiments read like Go benchmarks. Only the methods
// below work.
type harness struct {
	testing.TB // nil

	ctx     context.Context
	folder  string // for temporary folders
	mu      sync.Mutex
	err     error
	cleanup []func()
}

// with calls f and then its cleanups, in reverse order. It returns the error that f passed
// to Fatal or Error.
func with(ctx context.Context, folder string, f func(testing.TB)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	h := &harness{ctx: ctx, folder: folder}
	finished := make(chan struct{})
	// In its own goroutine, which FailNow can end.
	go func() {
		defer close(finished)
		defer h.close()
		f(h)
	}()
	<-finished
	return errors.Join(h.err, ctx.Err())
}

func (h *harness) close() {
	for len(h.cleanup) > 0 {
		last := len(h.cleanup) - 1
		f := h.cleanup[last]
		h.cleanup = h.cleanup[:last]
		f()
	}
}

// Helper implements [testing.TB].
func (h *harness) Helper() {}

// Context returns a context that is cancelled when the command is interrupted, and after
// f's cleanups.
func (h *harness) Context() context.Context { return h.ctx }

// Cleanup registers f to be called at the end.
func (h *harness) Cleanup(f func()) { h.cleanup = append(h.cleanup, f) }

// TempDir returns a new folder, which is removed at the end.
func (h *harness) TempDir() string {
	dir, err := os.MkdirTemp(h.folder, "")
	if err != nil {
		h.Fatal(err)
	}
	h.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			h.Error(err)
		}
	})
	return dir
}

// Error records a failure. Any goroutine may call it.
func (h *harness) Error(args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.err = errors.Join(h.err, errors.New(fmt.Sprint(args...)))
}

// Fatal records a failure and ends f.
func (h *harness) Fatal(args ...any) {
	h.Error(args...)
	runtime.Goexit()
}

// Fatalf is [harness.Fatal] with a format.
func (h *harness) Fatalf(format string, args ...any) { h.Fatal(fmt.Sprintf(format, args...)) }
