package main

import (
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	testfairysim "fairbridge/pkg/testfairy/simulator"
)

// largeBytes names the environment variable with the size of TestLargeAttachment's file;
// the default is 16 MiB. The maximum that Centercode accepts:
//
//	FAIRBRIDGE_TEST_LARGE_BYTES=2147483648 go test ./cmd/fairbridge -run LargeAttachment -v
const largeBytes = "FAIRBRIDGE_TEST_LARGE_BYTES"

const (
	smallFile = 1 << 20
	// maxMemory limits the memory of the process, and maxMore how much more a large file
	// may take than a small one, in bytes: files are streamed.
	maxMemory = 48 << 20
	maxMore   = 4 << 20
)

// TestLargeAttachment takes a large file through the real command, from its webhook to
// Centercode, while its source breaks off three times: every byte arrives, and the file was
// never in memory.
func TestLargeAttachment(t *testing.T) {
	size := int64(16 << 20)
	if text := os.Getenv(largeBytes); text != "" {
		var err error
		if size, err = strconv.ParseInt(text, 10, 64); err != nil {
			t.Fatalf("%s: %v", largeBytes, err)
		}
	}
	small, _ := haul(t, smallFile)
	large, took := haul(t, size)
	t.Logf("%d bytes in %v; peak memory %.1f MB, with %d bytes %.1f MB", size, took.Round(time.Millisecond),
		float64(large)/1e6, smallFile, float64(small)/1e6)
	if !raceDetector && (large > maxMemory || large > small+maxMore) {
		t.Errorf("peak memory is %d bytes, and %d for a file of %d bytes", large, small, smallFile)
	}
}

// haul sends a feedback with a file of that size through a new bridge. It returns the
// bridge's peak memory in bytes (0 if this system does not report it), and how long it
// took.
func haul(t *testing.T, size int64) (memory int64, took time.Duration) {
	t.Helper()
	f, data := newFarEnd(t, ""), t.TempDir()
	yaml, err := os.ReadFile(f.config)
	if err != nil {
		t.Fatal(err)
	}
	yaml = []byte(strings.Replace(string(yaml), "{{ .screenshotUrl }}", "{{ .fileUrl }}", 1))
	if err := os.WriteFile(f.config, yaml, 0o600); err != nil {
		t.Fatal(err)
	}
	path := fmt.Sprintf("/generated/%d.bin", size)
	for i := range int64(3) {
		f.testfairy.Inject(path, testfairysim.Fault{Times: 1, Drop: true, DropAfter: size/5 + i})
	}
	p := startBridge(t, f, data)
	began := time.Now()
	id, accepted := deliver(t.Context(), p.webhook, `{"event":"feedback","text":"a large file","fileUrl":"https://app.testfairy.com`+path+`"}`)
	if !accepted {
		t.Fatalf("not accepted:\n%s", p.out)
	}
	p.until("the ticket", func() bool { return strings.Contains(p.out.String(), `"result":"created"`) })
	took = time.Since(began)
	memory = peakMemory(p.cmd.Process.Pid)
	if code := p.interrupt(); code != 0 {
		t.Errorf("exit code %d:\n%s", code, p.out)
	}

	tickets := f.center.Tickets()
	if len(tickets) != 1 || tickets[0].Fields["deliveryId"] != id || len(tickets[0].Files) != 1 {
		t.Fatalf("tickets %+v", tickets)
	}
	if got := tickets[0].Files[0]; got.Size != size || got.SHA256 != f.testfairy.SHA256(path) {
		t.Errorf("%d bytes arrived, which differ from the file", got.Size)
	}
	return memory, took
}

// peakMemory returns the high-water mark of a process's resident set, in bytes, on Linux; 0
// on other systems.
func peakMemory(pid int) int64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
			return kib << 10
		}
	}
	return 0
}

// raceDetector reports whether this binary has the race detector, which multiplies memory
// use.
var raceDetector = func() bool {
	info, _ := debug.ReadBuildInfo()
	return info != nil && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}()
