package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"fairbridge/pkg/deadletter"
	"fairbridge/pkg/ledger"
)

// letterCount is the number of dead letters: several batches, of which the last is not
// full.
const letterCount = 45

// killedCommand is a command on many dead letters that is killed again and again, with kill
// -9, with or without a running bridge.
type killedCommand struct {
	*letterHome
	f      *farEnd
	args   []string
	bridge *process
	// moves means that the command moves letters from one queue to the other. twice counts
	// how often a letter was in both, because it was sent but not deleted yet.
	moves bool
	twice int
}

// TestDeadLetterCommandsKilled kills `fairbridge dlq replay`, drop and import at a commit,
// starts them again to be killed at a later one, and so on until they finish. In the end
// each delivery has one ticket, or none if it was dropped.
func TestDeadLetterCommandsKilled(t *testing.T) {
	for _, tc := range []struct {
		verb string
		args []string
		run  func(*killedCommand)
	}{
		{"replay", []string{"--all", "--yes"}, (*killedCommand).replayed},
		{"drop", []string{"--all", "--yes", "--because", "a test"}, (*killedCommand).dropped},
		{"import", nil, (*killedCommand).imported},
	} {
		for _, running := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/bridge runs %v", tc.verb, running), func(t *testing.T) {
				t.Parallel()
				m := &killedCommand{f: newFarEnd(t, ""), letterHome: newLetterHome(t), args: append([]string{"dlq", tc.verb}, tc.args...)}
				m.fill()
				if running {
					m.start()
				}
				tc.run(m)
			})
		}
	}
}

// fill creates the letters as the worker does, with dead deliveries in the ledger.
func (m *killedCommand) fill() {
	m.t.Helper()
	var all sync.WaitGroup // concurrent writes share a commit
	letters := make([]deadletter.Letter, letterCount)
	for n := range letters {
		l := rejected(m.t, n, "")
		letters[n] = l
		all.Go(func() {
			c, err := m.ledger.Claim(m.t.Context(), l.DeliveryID, ledger.Message{})
			if err == nil {
				fault := ledger.Fault{Reason: string(l.Reason), Stage: string(l.Stage), Status: l.Status, Text: l.Description, At: l.FailedAt}
				err = c.Died(m.t.Context(), fault, true)
			}
			if err != nil {
				m.t.Error(err)
			}
		})
	}
	m.put(letters...)
	all.Wait()
}

func (m *killedCommand) start() {
	m.t.Helper()
	if m.bridge == nil {
		m.bridge = startBridge(m.t, m.f, m.data)
	}
}

// untilDone runs the command until it is not killed anymore, and calls promise after each
// run.
func (m *killedCommand) untilDone(promise func()) {
	m.t.Helper()
	kills := 0
	killed := func(at string) bool {
		if !m.killedAt(at) {
			return false
		}
		kills++
		promise()
		// In place of the visibility timeout of the dead command's letters.
		if _, err := m.home.SQS.ReleaseInFlight(m.t.Context(), m.home.DeadLetterQueueURL); err != nil {
			m.t.Fatal(err)
		}
		return true
	}
	if m.moves {
		killed(firstDelete)
	}
	for at := 1; killed(strconv.Itoa(at)); at += 1 + (at+1)/5 {
	}
	promise()
	if kills == 0 {
		m.t.Error("was never killed: are the commits counted?")
	}
	m.t.Logf("killed %d times", kills)
}

// killedAt runs the command, which kills itself at that commit, and reports whether it got
// that far.
func (m *killedCommand) killedAt(at string) bool {
	m.t.Helper()
	self, err := os.Executable()
	m.must(err)
	cmd := exec.CommandContext(m.t.Context(), self, append(m.args, "--data", m.data)...)
	cmd.Env = append(os.Environ(), asCommand+"=1", killAtCommit+"="+at)
	out, err := cmd.CombinedOutput()
	if status := cmd.ProcessState.Sys().(syscall.WaitStatus); status.Signal() == syscall.SIGKILL {
		return true
	}
	if err != nil {
		m.t.Fatalf("%v: %s", err, out)
	}
	return false
}

// queued returns the number of messages of each delivery in a queue.
func (m *killedCommand) queued(url string) map[string]int {
	m.t.Helper()
	n := map[string]int{}
	m.must(m.home.SQS.Peek(m.t.Context(), url, func(message types.Message) bool {
		n[aws.ToString(message.MessageAttributes["deliveryId"].StringValue)]++
		return true
	}))
	return n
}

// settled waits until the bridge has processed everything sent to it.
func (m *killedCommand) settled() {
	m.t.Helper()
	m.start()
	(&state{t: m.t, home: m.home}).settled()
	m.bridge.interrupt()
}

// each calls check with the ledger's entry of each delivery that is in none of the others.
func (m *killedCommand) each(check func(ledger.Entry), others ...map[string]int) {
	m.t.Helper()
	for n := range letterCount {
		id := idOf(n)
		if !slices.ContainsFunc(others, func(o map[string]int) bool { return o[id] > 0 }) {
			check(m.entry(id))
		}
	}
}

// oneTicketEach checks the result of a replay: one ticket for each delivery.
func (m *killedCommand) oneTicketEach() {
	m.t.Helper()
	m.settled()
	tickets := m.f.ticketsOf(m.t)
	m.each(func(e ledger.Entry) {
		if tickets[e.DeliveryID] != 1 || e.State != ledger.Completed || e.Owner != "" {
			m.t.Errorf("%d tickets, entry %+v", tickets[e.DeliveryID], e)
		}
	})
	if left := m.queued(m.home.DeadLetterQueueURL); len(tickets) != letterCount || len(left) != 0 {
		m.t.Errorf("%d deliveries have tickets, left %v", len(tickets), left)
	}
}

func (m *killedCommand) replayed() {
	m.moves = m.bridge == nil // a running bridge may process a letter between the two reads
	m.untilDone(func() {
		// In the direction in which letters move: otherwise one could be missed.
		dead, sent := m.queued(m.home.DeadLetterQueueURL), m.queued(m.home.WorkQueueURL)
		for id := range sent {
			if dead[id] > 0 {
				m.twice++
			}
		}
		m.each(func(e ledger.Entry) {
			if e.State != ledger.Completed {
				m.t.Errorf("lost: entry %+v", e)
			}
		}, dead, sent)
	})
	if m.moves && m.twice == 0 {
		m.t.Error("no kill happened between sending a letter and deleting it")
	}
	m.t.Logf("%d deliveries found twice", m.twice)
	m.oneTicketEach()
}

func (m *killedCommand) dropped() {
	m.untilDone(func() {
		m.each(func(e ledger.Entry) {
			if !e.Dropped() {
				m.t.Errorf("gone without a record: %+v", e)
			}
		}, m.queued(m.home.DeadLetterQueueURL))
	})
	m.settled()
	m.each(func(e ledger.Entry) {
		if !e.Dropped() || e.Generation != 2 || e.Last.Status != 400 || !strings.HasPrefix(e.Last.Text, "a test (it had failed at create: ") {
			m.t.Errorf("entry %+v, %+v", e, e.Last)
		}
	})
	if left, tickets := m.queued(m.home.DeadLetterQueueURL), m.f.center.Tickets(); len(left)+len(tickets) != 0 {
		m.t.Errorf("left %v, and %d tickets", left, len(tickets))
	}
}

// imported exports the letters, and loses the queue.
func (m *killedCommand) imported() {
	file := filepath.Join(m.t.TempDir(), "letters.jsonl")
	m.mustRun("export", "--output", file)
	if got := m.dead(); len(got) != letterCount {
		m.t.Fatalf("%d letters", len(got))
	}
	m.args = append(m.args, file)
	m.untilDone(func() {})
	dead := m.queued(m.home.DeadLetterQueueURL)
	copies := 0
	for n := range letterCount {
		if dead[idOf(n)] == 0 {
			m.t.Errorf("letter %d was not imported", n)
		}
		copies += dead[idOf(n)] - 1
	}
	m.mustRun("replay", "--all", "--yes")
	m.oneTicketEach()
	m.t.Logf("%d copies", copies)
}

// mustRun runs a verb of 'fairbridge dlq', which must succeed.
func (m *killedCommand) mustRun(args ...string) {
	m.t.Helper()
	if got := m.dlq(args...); got.code != exitDone {
		m.t.Fatalf("%s: %+v", strings.Join(args, " "), got)
	}
}
