package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// mostMemory is what a bridge may take of the machine, in bytes.
const mostMemory = 100 << 20

// weighEvery is how often a process is looked at. What it had at the most is the
// kernel's own mark, so only the last moment before its end can be missed.
const weighEvery = 100 * time.Millisecond

// weigh notes the most memory that a process has had, until it has ended.
func (b *bridge) weigh(pid int, ended <-chan struct{}) {
	look := time.NewTicker(weighEvery)
	defer look.Stop()
	for {
		select {
		case <-ended:
			return
		case <-look.C:
			if bytes, known := highWater(pid); known {
				b.mu.Lock()
				b.peak = max(b.peak, bytes)
				b.mu.Unlock()
			}
		}
	}
}

// highWater is the peak resident set of a process, which Linux keeps; other
// systems do not tell.
func highWater(pid int) (bytes int64, known bool) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, false
	}
	for line := range strings.Lines(string(status)) {
		if text, found := strings.CutPrefix(line, "VmHWM:"); found {
			kilobytes, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(text), " kB"), 10, 64)
			return kilobytes << 10, err == nil
		}
	}
	return 0, false
}
