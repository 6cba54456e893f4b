package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"
)

// machine is the machine on which figures were measured.
type machine struct {
	// Processor is the model's name, "" if unknown.
	Processor  string `json:"processor,omitempty"`
	Processors int    `json:"processors"`
	// Sync is how long the disk takes to make a short write durable, in milliseconds.
	Sync float64 `json:"syncMs,omitempty"`
}

// kind is the same for machines whose figures can be compared.
func (m machine) kind() string { return fmt.Sprintf("%d × %s", m.Processors, m.Processor) }

// thisMachine returns this machine, with the disk of a folder.
func thisMachine(tb testing.TB, folder string) machine {
	return machine{Processor: processor(), Processors: runtime.NumCPU(), Sync: syncTime(tb, folder)}
}

// processor returns the model of the first processor; "" if Linux does not name it.
func processor() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return ""
	}
	for line := range bytes.Lines(text) {
		if name, value, found := bytes.Cut(line, []byte(":")); found && string(bytes.TrimSpace(name)) == "model name" {
			return string(bytes.TrimSpace(value))
		}
	}
	return ""
}

// syncTime writes a page durably several times, and returns the median time.
func syncTime(tb testing.TB, folder string) float64 {
	file, err := os.Create(filepath.Join(folder, "sync"))
	if err != nil {
		tb.Fatal(err)
	}
	defer os.Remove(file.Name())
	defer file.Close()
	var took timings
	for range 50 {
		began := time.Now()
		if _, err := file.Write(make([]byte, 4096)); err != nil {
			tb.Fatal(err)
		}
		if err := file.Sync(); err != nil {
			tb.Fatal(err)
		}
		took.add(time.Since(began))
	}
	return took.percentile(50)
}
