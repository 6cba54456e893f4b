package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	// startTime is how long a bridge may take to get ready.
	startTime = time.Minute
	// stopTime is how long an interrupted bridge may take to end, with a little added for a
	// busy machine.
	stopTime = 10*time.Second + 2*time.Second
)

// bridge is the real command, `fairbridge run`, in a process of its own that is restarted
// whenever it has ended.
type bridge struct {
	binary, config, data string
	log                  io.Writer // what the processes print
	env                  []string  // added to the environment
	// lost, if set, is called when a process ended on its own with exit code 1, with what
	// it printed. It makes the next start possible.
	lost func(said string) error

	mu      sync.Mutex
	cmd     *exec.Cmd
	webhook string        // "" while there is none
	change  chan struct{} // closed at the next change of webhook
	// ending is the reason for which the process is about to end. A process that ends
	// without one has a bug.
	ending  happening
	since   time.Time // of ending
	kills   int
	stops   int
	results map[string]int // what the workers reported, by result
	faults  []string       // violations by a bridge
	last    []string       // the last lines printed, for the message if it ends
	losses  int            // processes that ended on their own, as expected
	peak    int64          // the most memory that any of them used, in bytes
}

func newBridge(binary, config, data string, log io.Writer) *bridge {
	return &bridge{binary: binary, config: config, data: data, log: log,
		change: make(chan struct{}), results: map[string]int{}}
}

// run keeps a process running until ctx ends, then interrupts it.
func (b *bridge) run(ctx context.Context) error {
	for {
		if err := b.once(ctx); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return nil
		}
	}
}

// once runs one process to its end.
func (b *bridge) once(ctx context.Context) error {
	cmd := exec.Command(b.binary, "run", "--json", "--show-token", "--config", b.config, "--data", b.data, "--listen", "127.0.0.1:0", "--console", "off")
	out, err := cmd.StdoutPipe()
	if err != nil {
		return fmt.Errorf("start the bridge: %w", err)
	}
	cmd.Stderr = cmd.Stdout
	cmd.Env = append(os.Environ(), b.env...)
	// A Ctrl-C at the terminal is meant for the run, which then ends its bridge.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the bridge: %w", err)
	}
	b.mu.Lock()
	b.cmd = cmd
	b.mu.Unlock()
	stop := context.AfterFunc(ctx, func() { b.end(interrupt) })
	defer stop()
	tooLate := time.AfterFunc(startTime, func() {
		b.fault("a bridge was not ready within %s", startTime)
		b.end(killBefore)
	})
	defer tooLate.Stop()

	ended := make(chan struct{})
	defer close(ended)
	go b.weigh(cmd.Process.Pid, ended)
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 4<<20)
	for lines.Scan() {
		b.line(lines.Text(), tooLate)
	}
	return b.ended(cmd.Wait())
}

// line handles a line of the bridge's output.
func (b *bridge) line(text string, ready *time.Timer) {
	fmt.Fprintln(b.log, text)
	if strings.Contains(text, firstKey) || strings.Contains(text, secondKey) {
		b.fault("a bridge shows the API key: %s", text)
	}
	b.mu.Lock()
	if b.last = append(b.last, text); len(b.last) > 20 {
		b.last = b.last[1:]
	}
	b.mu.Unlock()
	var l struct{ Stage, Result, Webhook string }
	if json.Unmarshal([]byte(text), &l) != nil {
		return
	}
	switch l.Stage {
	case "ready":
		ready.Stop()
		b.set(l.Webhook)
	case "worker":
		b.mu.Lock()
		b.results[l.Result]++
		b.mu.Unlock()
	}
}

// end ends the running process, with kill -9 or Ctrl-C.
func (b *bridge) end(why happening) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.cmd == nil || b.ending != "" && why == interrupt {
		return // it is ending already
	}
	signal := syscall.SIGKILL
	if why == interrupt {
		signal = syscall.SIGINT
	}
	if err := b.cmd.Process.Signal(signal); err != nil {
		return // it ended on its own; ended handles that
	}
	b.ending, b.since = why, time.Now()
}

// ended judges the end of a process.
func (b *bridge) ended(err error) error {
	b.set("")
	b.mu.Lock()
	defer b.mu.Unlock()
	why, took := b.ending, time.Since(b.since)
	b.cmd, b.ending = nil, ""
	said := strings.Join(b.last, "\n")
	var exit *exec.ExitError
	switch {
	case why == "" && b.lost != nil && errors.As(err, &exit) && exit.ExitCode() == 1:
		b.losses++
		return b.lost(said)
	case err != nil && !errors.As(err, &exit):
		return fmt.Errorf("wait for the bridge: %w", err)
	case why == "":
		return fmt.Errorf("the bridge ended by itself (%v):\n%s", err, said)
	case why != interrupt:
		b.kills++
		return nil
	}
	b.stops++
	if err != nil {
		b.faults = append(b.faults, fmt.Sprintf("an interrupted bridge ended with %v", err))
	}
	if took > stopTime {
		b.faults = append(b.faults, fmt.Sprintf("an interrupted bridge took %s to end", took.Round(time.Millisecond)))
	}
	return nil
}

// onLoss allows a process to end on its own: do is called with what it printed, and makes
// the next start possible.
func (b *bridge) onLoss(do func(said string) error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lost = do
}

// lossesSoFar returns how many processes have ended on their own.
func (b *bridge) lossesSoFar() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.losses
}

// signal sends a signal to the running process.
func (b *bridge) signal(s os.Signal) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.cmd == nil {
		return errors.New("no bridge runs")
	}
	return b.cmd.Process.Signal(s)
}

func (b *bridge) fault(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.faults = append(b.faults, fmt.Sprintf(format, args...))
}

func (b *bridge) set(webhook string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.webhook = webhook
	close(b.change)
	b.change = make(chan struct{})
}

// ready waits for a bridge that accepts webhooks and returns their URL. other is the URL of
// one that no longer does.
func (b *bridge) ready(ctx context.Context, other string) (string, error) {
	for {
		b.mu.Lock()
		webhook, change := b.webhook, b.change
		b.mu.Unlock()
		if webhook != "" && webhook != other {
			return webhook, nil
		}
		select {
		case <-change:
		case <-ctx.Done():
			return "", fmt.Errorf("wait for the bridge: %w", context.Cause(ctx))
		}
	}
}
