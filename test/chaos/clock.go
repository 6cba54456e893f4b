package main

import (
	"context"
	byteorder "encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// clockFile is the environment variable that names the file with the offset of a bridge's
// wall clock, in seconds.
const clockFile = "CHAOS_CLOCK"

// wrongClock is added to package time. A preloaded library such as libfaketime would change
// nothing: Go asks the kernel directly.
const wrongClock = `package time

import (
	"sync/atomic"
	"syscall"
	"unsafe"
)

var wrongBy = func() *int64 {
	name, set := syscall.Getenv("` + clockFile + `")
	if !set {
		return new(int64)
	}
	fd, err := syscall.Open(name, syscall.O_RDONLY, 0)
	if err != nil {
		panic(err)
	}
	shared, err := syscall.Mmap(fd, 0, 8, syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		panic(err)
	}
	return (*int64)(unsafe.Pointer(&shared[0]))
}()

func wrongNow() (sec int64, nsec int32, mono int64) {
	sec, nsec, mono = runtimeNow()
	return sec + atomic.LoadInt64(wrongBy), nsec, mono
}
`

// The line of time.Now that reads the time, and its replacement.
const (
	nowLine   = "func Now() Time {\n\tsec, nsec, mono := runtimeNow()"
	wrongLine = "func Now() Time {\n\tsec, nsec, mono := wrongNow()"
)

// buildWrongClock builds the command with a wall clock that can be set while it runs. The
// monotonic clock is not changed, as on a real machine.
func buildWrongClock(ctx context.Context, dir string) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		return "", fmt.Errorf("find Go's sources: %w", err)
	}
	sources := filepath.Join(strings.TrimSpace(string(out)), "src", "time")
	text, err := os.ReadFile(filepath.Join(sources, "time.go"))
	if err != nil {
		return "", fmt.Errorf("read Go's sources: %w", err)
	}
	changed := strings.Replace(string(text), nowLine, wrongLine, 1)
	if changed == string(text) {
		return "", errors.New("time.Now of this Go is not as it was; correct test/chaos/clock.go")
	}
	replaced := map[string]string{}
	for name, text := range map[string]string{"time.go": changed, "wrongclock.go": wrongClock} {
		file := filepath.Join(dir, name+".txt")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			return "", fmt.Errorf("change the clock: %w", err)
		}
		replaced[filepath.Join(sources, name)] = file
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replaced})
	if err != nil {
		return "", fmt.Errorf("change the clock: %w", err)
	}
	file := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(file, overlay, 0o600); err != nil {
		return "", fmt.Errorf("change the clock: %w", err)
	}
	return build(ctx, dir, "fairbridge-wrong-clock", "-overlay", file)
}

// clock is the wall clock of a bridge that was built for it.
type clock struct{ file *os.File }

func newClock(dir string) (*clock, error) {
	f, err := os.OpenFile(filepath.Join(dir, "clock"), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("make a clock: %w", err)
	}
	c := &clock{f}
	return c, c.set(0)
}

// set sets the clock's offset.
func (c *clock) set(by time.Duration) error {
	_, err := c.file.WriteAt(byteorder.NativeEndian.AppendUint64(nil, uint64(int64(by/time.Second))), 0)
	return err
}
