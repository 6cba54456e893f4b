//go:build !windows

package main

import (
	"bytes"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"fairbridge/pkg/deadletter"
)

// acting starts 'fairbridge dlq' as a separate process.
func (h *letterHome) acting(out *os.File, args ...string) *exec.Cmd {
	h.t.Helper()
	self, err := os.Executable()
	h.must(err)
	cmd := exec.Command(self, append(append([]string{"dlq"}, args...), "--data", h.data)...)
	cmd.Env = append(os.Environ(), asCommand+"=1")
	cmd.Stdout, cmd.Stderr = out, &bytes.Buffer{}
	h.must(cmd.Start())
	h.t.Cleanup(func() { _ = cmd.Process.Kill() })
	return cmd
}

func several(t *testing.T, n int) (letters []deadletter.Letter) {
	t.Helper()
	for i := range n {
		letters = append(letters, rejected(t, i, ""))
	}
	return letters
}

// TestClosedPipeReleasesWhatIsHeld checks that when the reader of its output goes away, as
// head does, a command stops, and the letters it holds become visible at once.
func TestClosedPipeReleasesWhatIsHeld(t *testing.T) {
	h := newLetterHome(t, several(t, 20)...)
	read, write, err := os.Pipe()
	h.must(err)
	h.must(read.Close())
	cmd := h.acting(write, "replay", "--all", "--yes", "--set", "text=fixed")
	h.must(write.Close())
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != exitPipe {
		t.Errorf("exit code %d, stderr %s", code, cmd.Stderr)
	}
	if sent, left := len(h.replayed()), len(h.dead()); sent != 0 || left != 20 {
		t.Errorf("%d were sent, %d are visible", sent, left)
	}
}

// TestSignalsReleaseWhatIsHeld checks that a signal ends a command, and that the letters it
// holds become visible at once.
func TestSignalsReleaseWhatIsHeld(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		h := newLetterHome(t, several(t, 20)...)
		cmd := h.acting(nil, "replay", "--all", "--yes", "--rate", "1/s")
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		sent := 0
		for sent == 0 {
			select {
			case err := <-ended:
				t.Fatalf("%v: the command ended: %v, %s", signal, err, cmd.Stderr)
			case <-time.After(10 * time.Millisecond):
				sent = len(h.replayed())
			}
		}
		h.must(cmd.Process.Signal(signal))
		<-ended
		sent += len(h.replayed())
		if left := len(h.dead()); cmd.ProcessState.ExitCode() != exitLeft || sent+left != 20 || left < 10 {
			t.Errorf("%v: exit code %d, %d were sent, %d are visible: %s", signal, cmd.ProcessState.ExitCode(), sent, left, cmd.Stderr)
		}
	}
}
