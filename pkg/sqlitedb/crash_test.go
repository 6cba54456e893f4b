package sqlitedb_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"fairbridge/pkg/sqlitedb"
)

// childEnv names the database file that this test binary writes when it runs as a child
// process.
const childEnv = "FAIRBRIDGE_DB_TEST_CHILD"

func TestMain(m *testing.M) {
	if path := os.Getenv(childEnv); path != "" {
		if err := writeForever(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// writeForever writes from eight goroutines and prints each row's body once it has been
// acknowledged. It returns when its standard input ends.
func writeForever(path string) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	d, err := sqlitedb.Open(ctx, path)
	if err != nil {
		return err
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	var group sync.WaitGroup
	var print sync.Mutex
	for caller := range 8 {
		group.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				body := fmt.Sprintf("%d/%d/%d", os.Getpid(), caller, n)
				err := d.Write(ctx, insert(body))
				print.Lock()
				if err == nil {
					fmt.Println(body)
				} else if ctx.Err() == nil {
					fmt.Fprintln(os.Stderr, err)
				}
				print.Unlock()
			}
		})
	}
	group.Wait()
	return d.Close()
}

type child struct {
	cmd    *exec.Cmd
	stdin  io.Closer
	acked  *bufio.Scanner
	stderr *strings.Builder
}

func startChild(t *testing.T, path string) *child {
	t.Helper()
	c := &child{cmd: exec.Command(os.Args[0]), stderr: &strings.Builder{}}
	c.cmd.Env = append(os.Environ(), childEnv+"="+path)
	c.cmd.Stderr = c.stderr
	var err error
	if c.stdin, err = c.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.acked = bufio.NewScanner(out)
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.cmd.Process.Kill() })
	return c
}

// TestAcknowledgedWritesSurviveKill checks that every write acknowledged before a kill -9
// is in the file afterwards.
func TestAcknowledgedWritesSurviveKill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	if err := open(t, path).Write(t.Context(), createTable); err != nil {
		t.Fatal(err)
	}
	acked := map[string]bool{}
	for range 3 {
		c := startChild(t, path)
		for n := 0; c.acked.Scan(); n++ {
			acked[c.acked.Text()] = true
			if n == 200 {
				if err := c.cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		_ = c.cmd.Wait() // "signal: killed"
	}
	d := open(t, path)
	stored := map[string]bool{}
	for _, body := range bodies(t, d) {
		if stored[body] {
			t.Errorf("%s is stored twice", body)
		}
		stored[body] = true
	}
	for body := range acked {
		if !stored[body] {
			t.Errorf("%s was acknowledged but is lost", body)
		}
	}
	var ok string
	if err := d.Read().QueryRow("PRAGMA integrity_check").Scan(&ok); err != nil || ok != "ok" {
		t.Errorf("integrity check: %s, %v", ok, err)
	}
	t.Logf("%d acknowledged, %d stored", len(acked), len(stored))
}

// TestProcessesShareTheFile checks that two processes which write as fast as they can both
// make progress, without errors.
func TestProcessesShareTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	if err := open(t, path).Write(t.Context(), createTable); err != nil {
		t.Fatal(err)
	}
	const each = 200
	children := []*child{startChild(t, path), startChild(t, path)}
	total := 0
	var group sync.WaitGroup
	counts := make([]int, len(children))
	for i, c := range children {
		group.Go(func() {
			for c.acked.Scan() {
				if counts[i]++; counts[i] == each {
					_ = c.stdin.Close()
				}
			}
		})
	}
	group.Wait()
	for i, c := range children {
		if err := c.cmd.Wait(); err != nil || c.stderr.Len() > 0 {
			t.Errorf("child %d: %v %s", i, err, c.stderr)
		}
		total += counts[i]
	}
	if got := len(bodies(t, open(t, path))); got != total {
		t.Errorf("%d rows, want %d", got, total)
	}
}
