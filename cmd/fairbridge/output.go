package main

import (
	"encoding/json"
	"io"
	"os"
)

// writeJSON writes one JSON object, indented for reading.
func writeJSON(out io.Writer, v any) error {
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// writeJSONLines writes one JSON object a line.
func writeJSONLines[T any](out io.Writer, all ...T) error {
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	for _, v := range all {
		if err := enc.Encode(v); err != nil {
			return err
		}
	}
	return nil
}

// openInput opens a file that is named on the command line; "-" is standard input.
func openInput(file string, stdin io.Reader) (io.ReadCloser, error) {
	if file == "-" {
		return io.NopCloser(stdin), nil
	}
	return os.Open(file)
}

// readInput reads up to most bytes of a file named on the command line.
func readInput(file string, stdin io.Reader, most int64) ([]byte, error) {
	f, err := openInput(file, stdin)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, most))
}
