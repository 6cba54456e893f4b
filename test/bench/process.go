package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// process is a running child of this command. Its figures come from Linux's /proc: the
// resource usage returned by wait(2) would include the memory of this command, which the
// child shares until it calls exec.
type process struct{ folder string }

// processOf returns the only process that runs the binary.
func processOf(tb testing.TB, binary string) process {
	links, err := filepath.Glob("/proc/[0-9]*/exe")
	if err != nil {
		tb.Fatal(err)
	}
	for _, link := range links {
		// Most links cannot be read, since the process belongs to another user or has
		// exited.
		if target, err := os.Readlink(link); err == nil && target == binary {
			return process{filepath.Dir(link)}
		}
	}
	tb.Fatalf("no process runs %s; is this Linux?", filepath.Base(binary))
	return process{}
}

// peakMemory returns the high-water mark of the process's resident set, in MB (10^6 bytes).
func (p process) peakMemory(tb testing.TB) float64 {
	status, err := os.ReadFile(filepath.Join(p.folder, "status"))
	if err != nil {
		tb.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			var kibibytes float64
			if _, err := fmt.Sscanf(value, "%f kB", &kibibytes); err != nil {
				tb.Fatalf("read VmHWM %q: %v", value, err)
			}
			return kibibytes * 1024 / 1e6
		}
	}
	tb.Fatal("the process has no VmHWM")
	return 0
}

// clockTick is the unit of the times in /proc/PID/stat, which Linux always reports in
// hundredths of a second.
const clockTick = 10 * time.Millisecond

// cpu returns the processor time of the process, user and system.
func (p process) cpu(tb testing.TB) time.Duration {
	stat, err := os.ReadFile(filepath.Join(p.folder, "stat"))
	if err != nil {
		tb.Fatal(err)
	}
	// The second field, the name in parentheses, may contain spaces.
	// https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	const user, system = 14 - 3, 15 - 3
	var ticks int64
	for _, i := range []int{user, system} {
		n, err := strconv.ParseInt(fields[i], 10, 64)
		if err != nil {
			tb.Fatalf("read the processor time of a process: %v", err)
		}
		ticks += n
	}
	return time.Duration(ticks) * clockTick
}

// cpuSince returns the increase since an earlier [process.cpu]: at least one tick, since it
// is used as a divisor.
func (p process) cpuSince(tb testing.TB, before time.Duration) time.Duration {
	return max(p.cpu(tb)-before, clockTick)
}
