package main

import (
	"archive/zip"
	"os"
	"path/filepath"
	"testing"
)

// packages measures the size of what a deployment uploads and a cold start fetches, and of
// the command.
var packages = experiment{
	name: "package size",
	figures: []figure{
		{Key: "zip.ingest", What: "package, ingest (zip, arm64)", Unit: "MB", Floor: "hello", Must: atMost(3.7)},
		{Key: "zip.worker", What: "package, worker (zip, arm64)", Unit: "MB", Floor: "hello", Must: atMost(5)},
		{Key: "size.command", What: "the command, for this machine", Unit: "MB", Must: reportedValue},
	},
	open: func(tb testing.TB, l *lab) round {
		config := l.read(tb, mappingFile)
		ingest := zipped(tb, l.build(tb, "fairbridge/functions/ingest", deployedArch), config)
		worker := zipped(tb, l.build(tb, "fairbridge/functions/worker", deployedArch), config)
		hello := zipped(tb, l.build(tb, "fairbridge/test/bench/floor/hello", deployedArch), nil)
		command, err := os.Stat(l.build(tb, "fairbridge/cmd/fairbridge", ""))
		if err != nil {
			tb.Fatal(err)
		}
		return func(testing.TB) []sample {
			return []sample{{ingest, hello}, {worker, hello}, {value: float64(command.Size()) / 1e6}}
		}
	},
}

// zipped returns the size of a function's package, in MB (10^6 bytes).
func zipped(tb testing.TB, bootstrap string, config []byte) float64 {
	binary, err := os.ReadFile(bootstrap)
	if err != nil {
		tb.Fatal(err)
	}
	var size counter
	archive := zip.NewWriter(&size)
	for name, content := range map[string][]byte{filepath.Base(bootstrap): binary, "fairbridge.yaml": config} {
		file, err := archive.Create(name)
		if err == nil {
			_, err = file.Write(content)
		}
		if err != nil {
			tb.Fatal(err)
		}
	}
	if err := archive.Close(); err != nil {
		tb.Fatal(err)
	}
	return float64(size) / 1e6
}

// counter counts the bytes written to it.
type counter int64

// Write implements io.Writer.
func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}
