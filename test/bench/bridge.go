package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// bridge is a separate `fairbridge run` process, whose tickets go to neighbours that
// respond at once.
type bridge struct {
	webhook string
	created chan float64 // receives each ticket's time since its webhook, in ms
	stop    func()
}

// startBridge starts the embedded home in data. settings are prepended to the mapping file.
func startBridge(tb testing.TB, l *lab, binary, data, settings string) *bridge {
	config := filepath.Join(tb.TempDir(), "fairbridge.yaml")
	text := fmt.Sprintf("centercode: {baseUrl: %s}\n%s%s", startNeighbours(tb).URL, settings, l.read(tb, mappingFile))
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		tb.Fatal(err)
	}
	cmd := exec.CommandContext(tb.Context(), binary, "run", "--json", "--show-token", "--config", config, "--data", data, "--listen", "127.0.0.1:0", "--console", "off")
	for _, name := range []string{"FAIRBRIDGE_WEBHOOK_TOKEN", "FAIRBRIDGE_CENTERCODE_API_KEY"} {
		cmd.Env = append(cmd.Env, name+"="+homeEnvironment(name))
	}
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	ready := make(chan string, 1)
	b := &bridge{created: make(chan float64, 1<<16)}
	var reading sync.WaitGroup
	reading.Go(func() {
		defer close(ready)
		defer close(b.created)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			var line struct {
				Stage, Webhook, Result string
				AgeMs                  float64
			}
			_ = json.Unmarshal(lines.Bytes(), &line) // any other line leaves it empty
			switch {
			case line.Stage == "ready":
				ready <- line.Webhook
			case line.Result == "created":
				b.created <- line.AgeMs
			}
		}
	})
	b.stop = sync.OnceFunc(func() {
		_ = cmd.Process.Signal(os.Interrupt) // an error means that it has exited
		for range b.created {
			// Keep reading, so that the process can write and exit.
		}
		reading.Wait()
		_ = cmd.Wait()
	})
	tb.Cleanup(b.stop)
	if b.webhook = <-ready; b.webhook == "" {
		tb.Fatal("fairbridge run did not start")
	}
	return b
}

// deliver sends the payloads and returns how long it took until each had its ticket and was
// completed in the ledger.
func (b *bridge) deliver(tb testing.TB, payloads [][]byte) time.Duration {
	began := time.Now()
	b.ages(tb, payloads)
	return time.Since(began)
}

// ages is deliver, and returns how long after its webhook each ticket was created.
func (b *bridge) ages(tb testing.TB, payloads [][]byte) (took timings) {
	send(tb, b.webhook, clients, payloads)
	for range payloads {
		age, running := <-b.created
		if !running {
			tb.Fatal("fairbridge run has ended")
		}
		took = append(took, age)
	}
	return took
}
