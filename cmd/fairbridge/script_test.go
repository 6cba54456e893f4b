package main

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// asCommand in the environment makes the test binary the command itself, for
// tests that start, stop and kill it.
const asCommand = "FAIRBRIDGE_TEST_AS_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		armKill()
		main()
		return
	}
	testscript.Main(m, map[string]func(){"fairbridge": main})
}

// TestScripts runs the command as people do: testdata/script/*.txtar.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata/script"})
}
