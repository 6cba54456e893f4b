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

// process is a running child of this command. All that is asked of it comes
// from Linux's /proc: the resource usage that wait(2) returns would count the
// memory of this command, too, which the child shared until it called exec.
type process struct{ folder string }

// processOf finds the process that runs the binary, of which there must be one.
func processOf(tb testing.TB, binary string) process {
	links, err := filepath.Glob("/proc/[0-9]*/exe")
	if err != nil {
		tb.Fatal(err)
	}
	for _, link := range links {
		// Most cannot be read, being another user's or gone.
		if target, err := os.Readlink(link); err == nil && target == binary {
			return process{filepath.Dir(link)}
		}
	}
	tb.Fatalf("no process runs %s; is this Linux?", filepath.Base(binary))
	return process{}
}

// peakMemory is the most that the process ever had in memory, in MB (10^6
// bytes): the high-water mark of its resident set.
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

// clockTick is the unit of the times in /proc/PID/stat: Linux shows them to
// programs in hundredths of a second, whatever it counts in itself.
const clockTick = 10 * time.Millisecond

// cpu is the time that the process has spent on a processor, in the kernel too.
func (p process) cpu(tb testing.TB) time.Duration {
	stat, err := os.ReadFile(filepath.Join(p.folder, "stat"))
	if err != nil {
		tb.Fatal(err)
	}
	// The second field, the name in parentheses, may hold spaces.
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

// cpuSince is what has been added to an earlier [process.cpu]: at least one tick,
// so that it can be divided by.
func (p process) cpuSince(tb testing.TB, before time.Duration) time.Duration {
	return max(p.cpu(tb)-before, clockTick)
}
