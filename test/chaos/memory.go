package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// mostMemory is the memory limit of a bridge, in bytes.
const mostMemory = 100 << 20

// weighEvery is how often a process is sampled. The kernel keeps the peak, so only the last
// moment before the end can be missed.
const weighEvery = 100 * time.Millisecond

// weigh records the peak memory of a process, until it has ended.
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

// highWater returns the peak resident set of a process, which only Linux keeps.
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
