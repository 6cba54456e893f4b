package main

import (
	"bytes"
	"crypto/rand"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	centercodesim "fairbridge/pkg/centercode/simulator"
)

// TestFileIsLostWhileItRuns removes or destroys the database of the running command. The
// command accepts no more webhooks, exits, and prints what to do. Doing that recovers
// everything that was accepted or, if the file itself was destroyed, everything in the
// backup.
func TestFileIsLostWhileItRuns(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		harm    func(db string) error
		text    string
		rescued bool
	}{
		"removed":     {os.Remove, "was removed or replaced", true},
		"log removed": {func(db string) error { return os.Remove(db + "-wal") }, "was removed or replaced", true},
		"replaced": {func(db string) error {
			if err := os.WriteFile(db+".other", nil, 0o600); err != nil {
				return err
			}
			return os.Rename(db+".other", db)
		}, "was removed or replaced", true},
		"emptied": {func(db string) error { return os.Truncate(db, 0) }, "is damaged", false},
		"scrambled": {func(db string) error {
			noise := make([]byte, 256<<10)
			_, _ = rand.Read(noise)
			return os.WriteFile(db, noise, 0o600)
		}, "is damaged", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, data := newFarEnd(t, lookUp), t.TempDir()
			// Everything accepted waits.
			f.center.Inject(centercodesim.Fault{Op: centercodesim.OpCreate, Times: -1, Status: http.StatusServiceUnavailable})
			p := startBridge(t, f, data)
			var accepted []string
			for n := range 10 {
				id, ok := deliver(t.Context(), p.webhook, payload(n))
				if !ok {
					t.Fatalf("delivery %d was not accepted:\n%s", n, p.out)
				}
				accepted = append(accepted, id)
			}
			// Data that is only in the log would survive a scrambled file, so stop the
			// bridge to checkpoint it.
			if code := p.interrupt(); code != exitDone {
				t.Fatalf("exit code %d:\n%s", code, p.out)
			}
			p = startBridge(t, f, data)
			copied := filepath.Join(t.TempDir(), "copy.db")
			succeed(t, "backup", copied, "--data", data)

			if err := tc.harm(filepath.Join(data, "fairbridge.db")); err != nil {
				t.Fatal(err)
			}
			var late sync.WaitGroup
			for n := range 20 {
				late.Go(func() {
					if id, ok := deliver(t.Context(), p.webhook, payload(100+n)); ok {
						t.Errorf("%s was accepted into a file that is lost", id)
					}
				})
			}
			late.Wait()
			p.wait()
			if code := p.cmd.ProcessState.ExitCode(); code != exitLeft {
				t.Errorf("exit code %d", code)
			}
			if out := p.out.String(); !strings.Contains(out, tc.text) || !strings.Contains(out, "fairbridge restore ") {
				t.Errorf("the output lacks what happened and what to do:\n%s", out)
			}
			if tc.rescued {
				saved, err := filepath.Glob(filepath.Join(data, "fairbridge.db.rescued-*"))
				if err != nil || len(saved) != 1 {
					t.Fatalf("rescued: %q, %v", saved, err)
				}
				copied = saved[0]
			} else if _, err := launch(t, f, data, ""); err == nil {
				t.Error("a destroyed file was treated as a new home")
			}
			succeed(t, "restore", copied, "--data", data)

			f.center.Heal()
			s := openState(t, data)
			s.forgetFailures()
			p = startBridge(t, f, data)
			s.settled()
			if code := p.interrupt(); code != 0 {
				t.Errorf("exit code %d:\n%s", code, p.out)
			}
			tickets := f.ticketsOf(t)
			for _, id := range accepted {
				if tickets[id] != 1 {
					t.Errorf("delivery %s was accepted but has %d tickets", id, tickets[id])
				}
			}
			if len(tickets) != len(accepted) {
				t.Errorf("%d deliveries have tickets, want %d", len(tickets), len(accepted))
			}
		})
	}
}

// succeed runs a command line in this process, which must succeed.
func succeed(t *testing.T, args ...string) {
	t.Helper()
	var out, errs bytes.Buffer
	if code := execute(t.Context(), args, streams{in: strings.NewReader(""), out: &out, err: &errs}); code != exitDone {
		t.Fatalf("%q: exit code %d\n%s%s", args, code, &out, &errs)
	}
}

// TestSecondBridge checks that removing the lock file does not allow a second bridge.
func TestSecondBridge(t *testing.T) {
	t.Parallel()
	f, data := newFarEnd(t, ""), t.TempDir()
	p := startBridge(t, f, data)
	if err := os.Remove(filepath.Join(data, "run.lock")); err != nil {
		t.Fatal(err)
	}
	second, err := launch(t, f, data, "")
	if err == nil || !strings.Contains(second.out.String(), "another bridge runs in "+data) {
		t.Errorf("got %v:\n%s", err, second.out)
	}
	var errs bytes.Buffer
	if code := execute(t.Context(), []string{"restore", f.config, "--data", data}, streams{err: &errs}); code != exitLeft || !strings.Contains(errs.String(), "stop it") {
		t.Errorf("restore into a running home: exit code %d: %s", code, &errs)
	}
	if _, ok := deliver(t.Context(), p.webhook, payload(1)); !ok {
		t.Errorf("the first bridge was disturbed:\n%s", p.out)
	}
}
