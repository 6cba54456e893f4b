package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	centercodesim "fairbridge/pkg/centercode/simulator"
	"fairbridge/pkg/home"
	"fairbridge/pkg/ledger"
	"fairbridge/pkg/queue"
	"fairbridge/pkg/secrets"
	"fairbridge/pkg/testfairy"
)

// TestKillNine kills the running command in the middle of 80 deliveries and starts it
// again. Each becomes one ticket. If the response was lost with the process, the ticket is
// looked up, or parked without a look-up.
func TestKillNine(t *testing.T) {
	const deliveries = 80
	for _, tc := range []struct {
		name, extra string
	}{{"with look-up", lookUp}, {"without look-up", ""}} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			f, data := newFarEnd(t, tc.extra), t.TempDir()
			// Slow enough that there is always a ticket being created.
			f.center.Inject(centercodesim.Fault{Op: centercodesim.OpCreate, Times: -1, Delay: 20 * time.Millisecond, After: true})
			p := startBridge(t, f, data)
			refused := make(chan int, deliveries)
			var senders sync.WaitGroup
			for first := range 8 {
				senders.Go(func() {
					for n := first; n < deliveries; n += 8 {
						if _, ok := deliver(t.Context(), p.webhook, payload(n)); !ok {
							refused <- n
						}
					}
				})
			}
			p.until("a quarter of the tickets", func() bool { return f.center.Requests().Create >= deliveries/4 })
			p.kill()
			senders.Wait()
			close(refused)

			p = startBridge(t, f, data)
			s := openState(t, data)
			s.settled() // some may have been accepted without a response
			again := 0
			for n := range refused {
				again++
				if _, ok := deliver(t.Context(), p.webhook, payload(n)); !ok {
					t.Errorf("delivery %d is not accepted after the restart", n)
				}
			}
			s.settled()
			if code := p.interrupt(); code != 0 {
				t.Errorf("exit code %d after Ctrl-C:\n%s", code, p.out)
			}

			tickets, dead := f.ticketsOf(t), map[string]bool{}
			for _, l := range s.letters() {
				dead[l.DeliveryID] = true
				if l.Reason != queue.ReasonAmbiguous {
					t.Errorf("dead letter %+v", l)
				}
				if tc.extra == lookUp && l.Stage != "attach" {
					t.Errorf("a ticket was not looked up: %+v", l)
				}
			}
			for n := range deliveries {
				event, err := testfairy.Decode([]byte(payload(n)))
				if err != nil {
					t.Fatal(err)
				}
				id := event.DeliveryID()
				if tickets[id] > 1 || tickets[id] == 0 && !dead[id] {
					t.Errorf("delivery %d (%s) has %d tickets, dead letter: %v", n, id, tickets[id], dead[id])
				}
			}
			t.Logf("%d refused because of the kill, %d tickets, %d ambiguous", again, len(tickets), len(dead))
			if strings.Contains(p.out.String(), centercodeKey) {
				t.Error("the API key was printed")
			}
		})
	}
}

// TestInterruptFinishesWhatIsInProgress checks that Ctrl-C waits for tickets being created.
func TestInterruptFinishesWhatIsInProgress(t *testing.T) {
	t.Parallel()
	f, data := newFarEnd(t, ""), t.TempDir()
	f.center.Inject(centercodesim.Fault{Op: centercodesim.OpCreate, Times: -1, Delay: time.Second, After: true})
	p := startBridge(t, f, data)
	var ids []string
	for n := range 30 {
		id, ok := deliver(t.Context(), p.webhook, payload(n))
		if !ok {
			t.Fatalf("delivery %d was not accepted:\n%s", n, p.out)
		}
		ids = append(ids, id)
	}
	p.until("a ticket on its way", func() bool { return f.center.Requests().Create > 0 })
	if code := p.interrupt(); code != 0 {
		t.Errorf("exit code %d:\n%s", code, p.out)
	}
	s := openState(t, data)
	for _, id := range ids {
		e, err := s.ledger.Entry(t.Context(), id)
		if err != nil {
			continue // not started
		}
		if e.State == ledger.Creating || e.Owner != "" {
			t.Errorf("left unfinished: %+v", e)
		}
	}
	f.center.Heal()
	startBridge(t, f, data)
	s.settled()
	tickets := f.ticketsOf(t)
	for _, id := range ids {
		if tickets[id] != 1 {
			t.Errorf("delivery %s has %d tickets", id, tickets[id])
		}
	}
	if letters := s.letters(); len(letters) != 0 {
		t.Errorf("dead letters: %+v", letters)
	}
}

// TestInterruptWhileItStarts checks that Ctrl-C is not a failure, however early, and that
// the next start works in the same folder.
func TestInterruptWhileItStarts(t *testing.T) {
	config, data := simulated(t), t.TempDir()
	for after := time.Duration(0); after < 30*time.Millisecond; after += 500 * time.Microsecond {
		ctx, stop := context.WithTimeout(t.Context(), after)
		var problems bytes.Buffer
		code := execute(ctx, []string{
			"run", "--config", config, "--data", data, "--listen", "127.0.0.1:0", "--console", "127.0.0.1:0", "--simulator", "127.0.0.1:0",
		}, streams{in: strings.NewReader(""), out: io.Discard, err: &problems})
		stop()
		if code != exitDone || problems.Len() != 0 {
			t.Errorf("stopped after %v: exit code %d, %s", after, code, problems.String())
		}
	}
}

// TestSecondBridgeIsRefused checks that two processes cannot use one folder.
func TestSecondBridgeIsRefused(t *testing.T) {
	f, data := newFarEnd(t, ""), t.TempDir()
	startBridge(t, f, data)
	var out strings.Builder
	code := execute(t.Context(), []string{"run", "--config", f.config, "--data", data, "--listen", "127.0.0.1:0", "--console", "off"},
		streams{in: strings.NewReader(""), out: io.Discard, err: &out})
	if code != exitLeft || !strings.Contains(out.String(), "another") {
		t.Errorf("exit code %d: %s", code, out.String())
	}
}

// stopper stops the command that writes to it once it is ready.
type stopper struct {
	strings.Builder
	stop func()
}

func (s *stopper) Write(p []byte) (int, error) {
	n, err := s.Builder.Write(p)
	if strings.Contains(s.String(), "Ctrl-C") || strings.Contains(s.String(), `"ready"`) {
		s.stop()
	}
	return n, err
}

// TestLimitsOfRun checks that an invalid limit is a usage error, and that the start prints
// the limits.
func TestLimitsOfRun(t *testing.T) {
	config := simulated(t)
	run := func(out io.Writer, flags ...string) (int, string) {
		var problems strings.Builder
		args := append([]string{"run", "--config", config, "--data", t.TempDir(), "--listen", "127.0.0.1:0", "--simulator", "127.0.0.1:0"}, flags...)
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		if s, ok := out.(*stopper); ok {
			s.stop = stop
		}
		return execute(ctx, args, streams{in: strings.NewReader(""), out: out, err: &problems}), problems.String()
	}
	for _, wrong := range []string{"--concurrency=0", "--bodies=0", "--connections=0", "--uploads=-1", "--idle=0s", "--idle=2h", "--uploads=10001"} {
		flag, _, _ := strings.Cut(wrong, "=")
		if code, stderr := run(io.Discard, wrong); code != exitUsage || !strings.Contains(stderr, flag+" must be") {
			t.Errorf("%s: exit code %d, %s", wrong, code, stderr)
		}
	}
	for _, tc := range []struct {
		flags []string
		want  string
	}{
		{nil, "512 connections (closed when idle for 1m0s), 16 webhooks of 1 MB in memory, 40 deliveries and 40 uploads at once."},
		{[]string{"--connections=9", "--idle=5s", "--bodies=2", "--concurrency=3", "--uploads=7"},
			"9 connections (closed when idle for 5s), 2 webhooks of 1 MB in memory, 30 deliveries and 7 uploads at once."},
		{[]string{"--json", "--idle=5s", "--uploads=7"}, `"limits":{"bodies":16,"connections":512,"deliveries":40,"idleMs":5000,"uploads":7}`},
	} {
		var out stopper
		if code, stderr := run(&out, tc.flags...); code != exitDone || !strings.Contains(out.String(), tc.want) {
			t.Errorf("%v: exit code %d, %s, want %q in %s", tc.flags, code, stderr, tc.want, out.String())
		}
	}
}

// TestLogFormat checks that errors outside of deliveries are logged in the same format as
// outcomes.
func TestLogFormat(t *testing.T) {
	config, data := simulated(t), t.TempDir()
	for format, want := range map[string]string{"text": "Ctrl-C", "json": `"stage":"ready"`} {
		ctx, stop := context.WithCancel(t.Context())
		out := stopper{stop: stop}
		args := []string{"run", "--config", config, "--data", data, "--listen", "127.0.0.1:0", "--simulator", "127.0.0.1:0", "--log-format", format}
		code := execute(ctx, args, streams{in: strings.NewReader(""), out: &out, err: io.Discard})
		stop()
		if code != exitDone || !strings.Contains(out.String(), want) {
			t.Errorf("%s: exit code %d, %s", format, code, out.String())
		}
		var log bytes.Buffer
		newLog(&log, format == "json").Warn("the disk is full", "folder", data)
		if json.Valid(log.Bytes()) != (format == "json") || !strings.Contains(log.String(), "the disk is full") {
			t.Errorf("%s: %s", format, log.String())
		}
	}
	if got := runCommand(t, "", "run", "--config", config, "--log-format", "xml"); got.code != exitUsage {
		t.Errorf("exit code %d: %s", got.code, got.err)
	}
}

// TestTokenIsNotShownInAJournal checks that without a terminal the webhook's URL is printed
// without its token, together with the command that shows it.
func TestTokenIsNotShownInAJournal(t *testing.T) {
	config, data := simulated(t), t.TempDir()
	for _, tc := range []struct {
		flags []string
		shown bool
	}{{nil, false}, {[]string{"--json"}, false}, {[]string{"--show-token"}, true}, {[]string{"--json", "--show-token"}, true}} {
		ctx, stop := context.WithCancel(t.Context())
		out, problems := stopper{stop: stop}, bytes.Buffer{}
		args := append([]string{"run", "--config", config, "--data", data, "--listen", "127.0.0.1:0", "--console", "off", "--simulator", "127.0.0.1:0"}, tc.flags...)
		code := execute(ctx, args, streams{in: strings.NewReader(""), out: &out, err: &problems})
		stop()
		if code != exitDone {
			t.Fatalf("%v: exit code %d: %s", tc.flags, code, problems.String())
		}
		value, err := home.Folder(openState(t, data).home).Secret(t.Context(), secrets.WebhookToken)
		if err != nil || value == "" {
			t.Fatal(value, err)
		}
		if shown := strings.Contains(out.String(), value); shown != tc.shown || strings.Contains(problems.String(), value) {
			t.Errorf("%v: shown %t, want %t:\n%s%s", tc.flags, shown, tc.shown, out.String(), problems.String())
		}
		if tc.flags != nil {
			continue
		}
		_, command, _ := strings.Cut(out.String(), "To see it: fairbridge ")
		command, _, _ = strings.Cut(command, "\n")
		if got := runCommand(t, "", strings.Fields(command)...); got.code != exitDone || !strings.Contains(got.out, value) {
			t.Errorf("%s: exit code %d, %s%s", command, got.code, got.out, got.err)
		}
	}
}

// TestRunServesTheConsole checks that the bridge prints the console's address, with a link
// only on a terminal, and that another process of the same user can create a link.
func TestRunServesTheConsole(t *testing.T) {
	config, data := simulated(t), t.TempDir()
	taken, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var problems bytes.Buffer
	ready := make(chan string, 1)
	out := &stopper{}
	out.stop = func() {
		select {
		case ready <- out.String():
		default:
		}
	}
	ended := make(chan int, 1)
	args := []string{"run", "--config", config, "--data", data, "--listen", "127.0.0.1:0", "--simulator", "127.0.0.1:0", "--console"}
	go func() {
		ended <- execute(ctx, append(args, "127.0.0.1:0"), streams{in: strings.NewReader(""), out: out, err: &problems})
	}()
	var console string
	select {
	case console = <-ready:
	case code := <-ended:
		t.Fatalf("exit code %d: %s", code, problems.String())
	}
	if strings.Contains(console, "once=") || !strings.Contains(console, "Console: http://127.0.0.1:") || !strings.Contains(console, "fairbridge console --open --data "+data) {
		t.Errorf("got %s", console)
	}
	got := runCommand(t, "", "console", "--open", "--data", data)
	resp, err := http.Get(strings.TrimSpace(got.out))
	if err != nil {
		t.Fatalf("exit code %d, %s: %v", got.code, got.err, err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK || len(resp.Cookies()) != 1 {
		t.Errorf("the link: got %d, %v", resp.StatusCode, resp.Cookies())
	}
	stop()
	if code := <-ended; code != exitDone {
		t.Errorf("exit code %d: %s", code, problems.String())
	}
	runCommand(t, "", "console", "--open", "--data", data).want(t, exitLeft, "", "fairbridge: no console runs in "+data+"; start one: fairbridge console --data "+data+"\n")
	runCommand(t, "", append(args, taken.Addr().String())...).want(t, exitLeft, "",
		"fairbridge: listen for browsers: listen tcp "+taken.Addr().String()+": bind: address already in use; choose another address with --console, or --console off\n")
	runCommand(t, "", append(args, "0.0.0.0:0")...).want(t, exitLeft, "",
		"fairbridge: listen for browsers at 0.0.0.0:0: a console that others reach needs a password; store one: fairbridge secrets put console-password --data "+data+"\n")
}
