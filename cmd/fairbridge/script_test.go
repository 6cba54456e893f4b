package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// asCommand names the environment variable that makes the test binary the command itself,
// for tests that start, stop and kill it.
const asCommand = "FAIRBRIDGE_TEST_AS_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		armKill()
		main()
		return
	}
	// At its end a process with the race detector waits a second for reports of other
	// threads, and the tests start hundreds of processes.
	os.Setenv("GORACE", strings.TrimSpace(os.Getenv("GORACE")+" atexit_sleep_ms=10"))
	testscript.Main(m, map[string]func(){"fairbridge": main})
}

// TestScripts runs the command as people do: testdata/script/*.txtar.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata/script", Setup: func(env *testscript.Env) error {
		env.Setenv("GORACE", os.Getenv("GORACE"))
		return makeRecent(env.WorkDir)
	}})
}

// makeRecent replaces RECENTLY in a script's dead letters with the time an hour ago, to the
// minute: letters older than the ledger's memory are treated differently.
func makeRecent(dir string) error {
	letters, err := filepath.Glob(filepath.Join(dir, "*.jsonl"))
	if err != nil {
		return err
	}
	for _, file := range letters {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		recent := time.Now().UTC().Add(-time.Hour).Format("2006-01-02T15:04")
		if err := os.WriteFile(file, bytes.ReplaceAll(text, []byte("RECENTLY"), []byte(recent)), 0o600); err != nil {
			return err
		}
	}
	return nil
}
