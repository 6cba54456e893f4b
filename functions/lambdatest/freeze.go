//go:build unix

package lambdatest

import (
	"syscall"
	"testing"
)

// Freeze stops the process as Lambda does between two invocations.
func (f *Function) Freeze(tb testing.TB) { f.signal(tb, syscall.SIGSTOP) }

// Thaw continues a frozen process.
func (f *Function) Thaw(tb testing.TB) { f.signal(tb, syscall.SIGCONT) }

func (f *Function) signal(tb testing.TB, s syscall.Signal) {
	tb.Helper()
	if err := f.cmd.Process.Signal(s); err != nil {
		tb.Fatal(err)
	}
}
