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

// mended is how many dead letters there are: several batches, of which the last
// is not full.
const mended = 45

// mending is a command that works on many dead letters and is killed, -9, again
// and again, while the bridge runs or while it does not.
type mending struct {
	*letterHome
	f      *farEnd
	args   []string
	bridge *process
	// moves means that the command moves letters from one queue to the other, and
	// twice counts how often one was found in both: it was sent, but not deleted.
	moves bool
	twice int
}

// TestDeadLetterCommandsKilled kills `fairbridge dlq replay`, drop and import at
// a commit, starts them again with a later one, and so on until they get through.
// However often that was: each delivery has its one ticket in the end, or none if
// it was dropped.
func TestDeadLetterCommandsKilled(t *testing.T) {
	for _, tc := range []struct {
		verb string
		args []string
		run  func(*mending)
	}{
		{"replay", []string{"--all", "--yes"}, (*mending).replayed},
		{"drop", []string{"--all", "--yes", "--because", "a test"}, (*mending).dropped},
		{"import", nil, (*mending).imported},
	} {
		for _, running := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/bridge runs %v", tc.verb, running), func(t *testing.T) {
				t.Parallel()
				m := &mending{f: newFarEnd(t, ""), letterHome: newLetterHome(t), args: append([]string{"dlq", tc.verb}, tc.args...)}
				m.fill()
				if running {
					m.start()
				}
				tc.run(m)
			})
		}
	}
}

// fill makes the letters, as the worker does: the ledger has the deliveries as
// dead.
func (m *mending) fill() {
	m.t.Helper()
	var all sync.WaitGroup // writes that wait together share a commit
	letters := make([]deadletter.Letter, mended)
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

func (m *mending) start() {
	m.t.Helper()
	if m.bridge == nil {
		m.bridge = startBridge(m.t, m.f, m.data)
	}
}

// again starts the command until it is not killed any more, and holds each time
// what it left against a promise.
func (m *mending) again(promise func()) {
	m.t.Helper()
	kills := 0
	killed := func(at string) bool {
		if !m.killedAt(at) {
			return false
		}
		kills++
		promise()
		// In place of the time after which SQS shows a dead command's letters
		// again.
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

// killedAt runs the command, which kills itself at that commit if it gets there,
// and reports whether it did.
func (m *mending) killedAt(at string) bool {
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

// lying counts the messages of each delivery in a queue.
func (m *mending) lying(url string) map[string]int {
	m.t.Helper()
	n := map[string]int{}
	m.must(m.home.SQS.Peek(m.t.Context(), url, func(message types.Message) bool {
		n[aws.ToString(message.MessageAttributes["deliveryId"].StringValue)]++
		return true
	}))
	return n
}

// settled waits until the bridge has done all that was sent to it.
func (m *mending) settled() {
	m.t.Helper()
	m.start()
	(&state{t: m.t, home: m.home}).settled()
	m.bridge.interrupt()
}

// each calls check for each delivery that is none of the others, with its entry
// in the ledger.
func (m *mending) each(check func(ledger.Entry), others ...map[string]int) {
	m.t.Helper()
	for n := range mended {
		id := idOf(n)
		if !slices.ContainsFunc(others, func(o map[string]int) bool { return o[id] > 0 }) {
			check(m.entry(id))
		}
	}
}

// oneTicketEach is what every replay must come to.
func (m *mending) oneTicketEach() {
	m.t.Helper()
	m.settled()
	tickets := m.f.ticketsOf(m.t)
	m.each(func(e ledger.Entry) {
		if tickets[e.DeliveryID] != 1 || e.State != ledger.Completed || e.Owner != "" {
			m.t.Errorf("%d tickets, and the ledger has %+v", tickets[e.DeliveryID], e)
		}
	})
	if left := m.lying(m.home.DeadLetterQueueURL); len(tickets) != mended || len(left) != 0 {
		m.t.Errorf("%d deliveries have tickets, left is %v", len(tickets), left)
	}
}

func (m *mending) replayed() {
	m.moves = m.bridge == nil // one that runs may be faster than a look at both
	m.again(func() {
		// In the order in which a letter moves: otherwise it could be missed.
		dead, sent := m.lying(m.home.DeadLetterQueueURL), m.lying(m.home.WorkQueueURL)
		for id := range sent {
			if dead[id] > 0 {
				m.twice++
			}
		}
		m.each(func(e ledger.Entry) {
			if e.State != ledger.Completed {
				m.t.Errorf("lost, and the ledger has %+v", e)
			}
		}, dead, sent)
	})
	if m.moves && m.twice == 0 {
		m.t.Error("no kill fell between sending a letter and deleting it")
	}
	m.t.Logf("%d deliveries found twice", m.twice)
	m.oneTicketEach()
}

func (m *mending) dropped() {
	m.again(func() {
		m.each(func(e ledger.Entry) {
			if !e.Dropped() {
				m.t.Errorf("gone without a word: %+v", e)
			}
		}, m.lying(m.home.DeadLetterQueueURL))
	})
	m.settled()
	m.each(func(e ledger.Entry) {
		if !e.Dropped() || e.Generation != 2 || e.Last.Status != 400 || !strings.HasPrefix(e.Last.Text, "a test (it had failed at create: ") {
			m.t.Errorf("the ledger has %+v, %+v", e, e.Last)
		}
	})
	if left, tickets := m.lying(m.home.DeadLetterQueueURL), m.f.center.Tickets(); len(left)+len(tickets) != 0 {
		m.t.Errorf("left is %v, and there are %d tickets", left, len(tickets))
	}
}

// imported has the letters exported, and the queue lost.
func (m *mending) imported() {
	file := filepath.Join(m.t.TempDir(), "letters.jsonl")
	m.mustRun("export", "--output", file)
	if got := m.dead(); len(got) != mended {
		m.t.Fatalf("%d letters", len(got))
	}
	m.args = append(m.args, file)
	m.again(func() {})
	dead := m.lying(m.home.DeadLetterQueueURL)
	copies := 0
	for n := range mended {
		if dead[idOf(n)] == 0 {
			m.t.Errorf("letter %d was not imported", n)
		}
		copies += dead[idOf(n)] - 1
	}
	m.mustRun("replay", "--all", "--yes")
	m.oneTicketEach()
	m.t.Logf("%d copies", copies)
}

// mustRun runs a verb of 'fairbridge dlq' to its end.
func (m *mending) mustRun(args ...string) {
	m.t.Helper()
	if got := m.dlq(args...); got.code != exitDone {
		m.t.Fatalf("%s: %+v", strings.Join(args, " "), got)
	}
}
