package worker_test

import (
	"context"
	"os"
	"path/filepath"
	"sync"

	"fairbridge/pkg/sqlitedb"
)

// blankDatabase returns the bytes of a new database. Thousands of worlds start with it, and
// creating one takes longer than most of them run.
var blankDatabase = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "blank")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "fairbridge.db")
	file, err := sqlitedb.Open(context.Background(), path)
	if err != nil {
		return nil, err
	}
	if err := file.Close(); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
})
