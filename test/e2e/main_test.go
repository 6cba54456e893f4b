//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"
)

// bridge is the deployed bridge that all tests drive. Its parts may be used side
// by side; a test that changes what all see says so, and puts it back.
var bridge *world

// TestMain deploys the bridge, runs the tests, and takes everything down again.
// If this process is killed, the emulator ends with it (see emulator).
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
