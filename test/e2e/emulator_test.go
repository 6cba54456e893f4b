//go:build e2e

package e2e

import (
	"context"
	"os"
	"path/filepath"
	"strconv"

	"fairbridge/test/internal/standin"
)

// The emulator's only account: these are its root's credentials.
const (
	accountKey    = "test"
	accountSecret = "test"
	region        = "us-east-1"
)

// emulator is a MiniStack in a process of its own: AWS on loopback, which runs the
// functions as processes of this machine.
type emulator struct {
	*standin.Program
	address string // host:port
}

func (e *emulator) url() string { return "http://" + e.address }

// startEmulator starts the emulator on a free port, with its files in dir.
func startEmulator(ctx context.Context, python, dir string) (*emulator, error) {
	port, err := standin.FreePort(ctx)
	if err != nil {
		return nil, err
	}
	e := &emulator{address: "127.0.0.1:" + strconv.Itoa(port)}
	home := filepath.Join(dir, "emulator")
	if err := os.Mkdir(home, 0o700); err != nil {
		return nil, err
	}
	e.Program, err = standin.Start(ctx, standin.Config{
		Name: "emulator", Command: []string{python, "-m", "ministack"}, Needs: "make e2e, which installs it", Dir: dir, Ready: e.url() + "/_ministack/health",
		// The functions inherit the emulator's environment, so it must not be this
		// machine's.
		Env: []string{
			"PATH=/usr/bin:/bin", "HOME=" + home, "TMPDIR=" + home,
			"GATEWAY_PORT=" + strconv.Itoa(port),
			"BIND_HOST=127.0.0.1",      // not every interface
			"MINISTACK_HOST=127.0.0.1", // in queue URLs
			"IOT_MTLS_ENABLED=0",       // it would listen on a fixed port
			"AUTH=true",                // the roles of template.yaml are enforced
			// The address of AWS for the functions. On AWS the SDK finds it.
			"AWS_ENDPOINT_URL=" + e.url(),
		},
	})
	return e, err
}

// loopback is the client for servers on this machine.
var loopback = standin.Client
