//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// The emulator's only account: its root has these credentials.
const (
	accountKey    = "test"
	accountSecret = "test"
	region        = "us-east-1"
)

// emulator is a MiniStack of its own: AWS in one process on loopback, which runs
// the functions as processes of this machine.
type emulator struct {
	address string // host:port
	log     string // path
	life    io.Closer
	command *exec.Cmd
}

func (e *emulator) url() string { return "http://" + e.address }

// supervise runs a command until standard input ends, and then asks it to stop:
// not only when the tests end well, but when their process ends in any way. A
// plain kill of the emulator would leave its functions' processes behind.
const supervise = `"$@" & child=$!; read -r _; kill -TERM "$child"; wait "$child"`

// startEmulator starts the emulator on a free port. dir gets its files.
func startEmulator(ctx context.Context, python, dir string) (*emulator, error) {
	port, err := freePort(ctx)
	if err != nil {
		return nil, err
	}
	e := &emulator{address: "127.0.0.1:" + strconv.Itoa(port), log: filepath.Join(dir, "emulator.log")}
	home := filepath.Join(dir, "emulator")
	if err := os.Mkdir(home, 0o700); err != nil {
		return nil, err
	}
	log, err := os.Create(e.log)
	if err != nil {
		return nil, err
	}
	defer log.Close() // the process has it
	e.command = exec.Command("/bin/sh", "-c", supervise, "sh", python, "-m", "ministack")
	// The functions inherit the emulator's environment, so it must not be this
	// machine's.
	e.command.Env = []string{
		"PATH=/usr/bin:/bin", "HOME=" + home, "TMPDIR=" + home,
		"GATEWAY_PORT=" + strconv.Itoa(port),
		"BIND_HOST=127.0.0.1",      // not every interface
		"MINISTACK_HOST=127.0.0.1", // in queue URLs
		"IOT_MTLS_ENABLED=0",       // it would listen on a fixed port
		"AUTH=true",                // the roles of template.yaml are enforced
		// Where the functions find AWS. On AWS the SDK knows.
		"AWS_ENDPOINT_URL=" + e.url(),
	}
	e.command.Stdout, e.command.Stderr = log, log
	// Ctrl-C in a terminal is not for it: it ends after the tests.
	e.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if e.life, err = e.command.StdinPipe(); err != nil {
		return nil, err
	}
	if err := e.command.Start(); err != nil {
		return nil, fmt.Errorf("start the emulator: %w", err)
	}
	return e, e.waitReady(ctx)
}

func (e *emulator) waitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, e.url()+"/_ministack/health", nil)
		if err != nil {
			return err
		}
		resp, err := loopback.Do(req)
		if err == nil {
			_ = resp.Body.Close() // its status is the answer
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for the emulator: %w", ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// stop ends the emulator and waits until it is gone.
func (e *emulator) stop() error {
	if err := e.life.Close(); err != nil {
		return err
	}
	gone := make(chan error, 1)
	go func() { gone <- e.command.Wait() }()
	select {
	case <-gone: // its exit code says nothing
		return nil
	case <-time.After(20 * time.Second):
		// The group is the supervisor's: nothing else is in it.
		err := syscall.Kill(-e.command.Process.Pid, syscall.SIGKILL)
		return errors.Join(errors.New("the emulator did not stop within 20 s and was killed"), err)
	}
}

func freePort(ctx context.Context) (int, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
}

// loopback is for what is on this machine.
var loopback = &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 100}}
