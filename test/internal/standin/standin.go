// Package standin runs programs that stand in for AWS in tests: each on a free port of
// loopback, in a folder of its own, until its test ends.
package standin

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
	"syscall"
	"time"
)

const (
	startTimeout = time.Minute
	stopTimeout  = 20 * time.Second
)

// Config describes the program.
type Config struct {
	// Name is the program's name in messages, and the name of its log.
	Name string
	// Command is the program with its arguments. Needs names what has to be installed if it
	// is missing.
	Command []string
	Needs   string
	// Dir is its working folder, which also gets the log. Env is its whole environment.
	Dir string
	Env []string
	// Ready is one of its URLs that answers 200 as soon as it works, or, with Any, anything
	// below 500.
	Ready string
	Any   bool
}

// Program is a running program.
type Program struct {
	// Log is the file with its output.
	Log string

	config  Config
	life    io.Closer
	command *exec.Cmd
	gone    chan struct{}
}

// supervise runs a command until standard input ends, and then asks it to stop: not only
// when the tests end well, but when their process ends in any way. A plain kill of an
// emulator would leave behind the processes that it has started.
const supervise = `"$@" & child=$!; read -r _; kill -TERM "$child"; wait "$child"`

// Start starts a program and waits until it is ready. If that fails it is stopped.
func Start(ctx context.Context, c Config) (*Program, error) {
	if _, err := exec.LookPath(c.Command[0]); err != nil {
		return nil, fmt.Errorf("%s needs %s: %w", c.Name, c.Needs, err)
	}
	p := &Program{Log: filepath.Join(c.Dir, c.Name+".log"), config: c, gone: make(chan struct{})}
	log, err := os.Create(p.Log)
	if err != nil {
		return nil, err
	}
	defer log.Close() // the process has it
	p.command = exec.Command("/bin/sh", append([]string{"-c", supervise, "sh"}, c.Command...)...)
	p.command.Dir, p.command.Env = c.Dir, c.Env
	p.command.Stdout, p.command.Stderr = log, log
	// Ctrl-C in a terminal must not reach it: it ends after the tests.
	p.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if p.life, err = p.command.StdinPipe(); err != nil {
		return nil, err
	}
	if err := p.command.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", c.Name, err)
	}
	go func() {
		_ = p.command.Wait() // its exit code means nothing
		close(p.gone)
	}()
	if err := p.waitReady(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("wait for %s: %w\n%s", c.Name, err, p.Tail()), p.Stop())
	}
	return p, nil
}

func (p *Program) waitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.config.Ready, nil)
		if err != nil {
			return err
		}
		resp, err := Client.Do(req)
		if err == nil {
			_ = resp.Body.Close() // its status is the answer
			if resp.StatusCode == http.StatusOK || p.config.Any && resp.StatusCode < http.StatusInternalServerError {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-p.gone:
			return errors.New("it has ended")
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// Stop ends the program and waits until it is gone.
func (p *Program) Stop() error {
	if err := p.life.Close(); err != nil {
		return err
	}
	select {
	case <-p.gone:
		return nil
	case <-time.After(stopTimeout):
		// The group is the supervisor's: nothing else is in it.
		err := syscall.Kill(-p.command.Process.Pid, syscall.SIGKILL)
		return errors.Join(fmt.Errorf("%s did not stop within %s and was killed", p.config.Name, stopTimeout), err)
	}
}

// Tail returns the end of the program's output.
func (p *Program) Tail() string {
	log, err := os.ReadFile(p.Log)
	if err != nil {
		return err.Error()
	}
	return string(log[max(0, len(log)-4096):])
}

// FreePort returns a port of loopback that nobody listens on.
func FreePort(ctx context.Context) (int, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
}

// Client is the client for servers on this machine.
var Client = &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 100}}
