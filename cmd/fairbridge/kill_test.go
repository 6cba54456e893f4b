package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"fairbridge/pkg/embedded/embeddedtest"
	"fairbridge/pkg/ledger"
)

const (
	// killAtCommit names the environment variable with the number of the commit at which
	// the command kills itself, with kill -9, or firstDelete.
	killAtCommit = "FAIRBRIDGE_TEST_KILL_AT_COMMIT"
	// firstDelete is the first commit that deletes a message.
	firstDelete = "delete"
)

// armKill counts the commits to the SQLite file. Every change to the queue and the ledger
// is one, so the process dies once at each.
func armKill() {
	at := os.Getenv(killAtCommit)
	if at == "" {
		return
	}
	var mu sync.Mutex
	commits := 0
	sqlite.RegisterConnectionHook(func(conn sqlite.ExecQuerierContext, _ string) error {
		hooks, deletes := conn.(sqlite.HookRegisterer), false
		hooks.RegisterPreUpdateHook(func(d sqlite.SQLitePreUpdateData) {
			deletes = deletes || d.Op == sqlite3.SQLITE_DELETE && d.TableName == "messages"
		})
		hooks.RegisterCommitHook(func() int32 {
			mu.Lock()
			defer mu.Unlock()
			if commits++; at == strconv.Itoa(commits) || at == firstDelete && deletes {
				_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
				select {} // nothing more is carried out
			}
			return 0
		})
		return nil
	})
}

// TestKilledAtEveryCommit kills the real command, with kill -9, at its first, second, ...
// commit, until a run finishes without being killed. It starts the command again each time,
// and checks the result against the promise.
func TestKilledAtEveryCommit(t *testing.T) {
	for _, tc := range []struct{ name, extra string }{{"parked", ""}, {"looked up", lookUp}} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			runs := 0
			for at := 1; ; at++ {
				runs++
				if !killedRun(t, tc.extra, killAtCommit+"="+strconv.Itoa(at), nil) {
					break
				}
			}
			if runs < 10 {
				t.Errorf("only %d runs: are the commits counted?", runs)
			}
			t.Logf("%d runs", runs)
		})
	}
}

// TestKilledAtEveryRequest kills it when Centercode, or the attachment's source, receives a
// request, and when that was carried out but not answered.
func TestKilledAtEveryRequest(t *testing.T) {
	for _, tc := range []struct{ name, extra string }{{"parked", ""}, {"looked up", lookUp}} {
		for _, request := range []string{"/feedback/testfairy", "/files/screenshot", ".jpg"} {
			for _, done := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/%s done %v", tc.name, request, done), func(t *testing.T) {
					t.Parallel()
					if !killedRun(t, tc.extra, "", &killer{path: request, done: done}) {
						t.Error("no such request was sent")
					}
				})
			}
		}
	}
}

// killer kills a process at one of its requests.
type killer struct {
	path string
	done bool

	mu      sync.Mutex
	process *process
	met     bool
}

func (k *killer) around(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		k.mu.Lock()
		strike := !k.met && k.process != nil && strings.HasSuffix(r.URL.Path, k.path)
		k.met = k.met || strike
		k.mu.Unlock()
		if strike && k.done {
			h.ServeHTTP(httptest.NewRecorder(), r)
		}
		if strike {
			_ = k.process.cmd.Process.Kill()
			return
		}
		h.ServeHTTP(w, r)
	})
}

// killedRun sends one feedback to a bridge that is killed meanwhile, starts the bridge
// again and checks the result. It reports whether the bridge was killed.
func killedRun(t *testing.T, extra, env string, k *killer) (killed bool) {
	t.Helper()
	f, data := newFarEnd(t, extra), t.TempDir()
	if k != nil {
		f.interpose(k.around)
	}
	id, accepted := "", false
	first, err := launch(t, f, data, env)
	if err == nil {
		if k != nil {
			k.mu.Lock()
			k.process = first
			k.mu.Unlock()
		}
		id, accepted = deliver(t.Context(), first.webhook, payload(1))
		if accepted {
			first.endedOr(t, data)
		} else {
			first.wait() // it was killed while accepting the webhook
		}
	}
	killed = !first.running()
	first.kill()

	again := startBridge(t, f, data)
	s := openState(t, data)
	if !accepted {
		// Send it again, as a person would without a response. It may have been accepted,
		// and two concurrent copies would wait for each other's lease.
		s.settled()
		if id, accepted = deliver(t.Context(), again.webhook, payload(1)); !accepted {
			t.Fatalf("not accepted after the restart:\n%s", again.out)
		}
	}
	s.settled()
	again.interrupt()

	tickets, letters := f.ticketsOf(t)[id], s.letters()
	e, err := s.ledger.Entry(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	switch {
	case tickets > 1:
		t.Errorf("%s: %d tickets", env, tickets)
	case len(letters) == 0 && (tickets != 1 || e.State != ledger.Completed || len(f.center.Tickets()[0].Files) != 1):
		t.Errorf("%s: %d tickets, no dead letter, entry %+v", env, tickets, e)
	case len(letters) > 0 && (letters[0].Reason == "" || letters[0].Description == ""):
		t.Errorf("%s: a dead letter without a cause: %+v", env, letters[0])
	}
	if e.Owner != "" {
		t.Errorf("%s: a lease is left: %+v", env, e)
	}
	return killed
}

// endedOr waits until the process has exited or all its deliveries have ended.
func (p *process) endedOr(t *testing.T, data string) {
	t.Helper()
	s := openState(t, data)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		p.wait()
		cancel()
	}()
	_ = embeddedtest.Settled(ctx, s.home)
	s.home.Close()
}

func (p *process) running() bool {
	select {
	case err := <-p.ended:
		p.ended <- err
		return false
	default:
		return true
	}
}
