//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"
)

// bridge is the deployed bridge that all tests use. They may run in parallel; a test that
// changes what others see documents that, and undoes it.
var bridge *world

// TestMain deploys the bridge, runs the tests, and removes everything again. If this
// process is killed, the emulator ends with it (see emulator).
func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) (code int) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	w, err := newWorld(ctx)
	defer func() {
		if err := w.close(); err != nil {
			fmt.Fprintf(os.Stderr, "e2e: %v\n", err)
			code = 1
		}
	}()
	if err != nil {
		fmt.Fprintf(os.Stderr, "e2e: %v\n%s", err, w.emulatorLog())
		return 1
	}
	bridge = w
	if code = m.Run(); code != 0 {
		fmt.Fprintf(os.Stderr, "e2e: the emulator's log, with what the functions wrote, is %s\n", w.emulator.Log)
	}
	return code
}
