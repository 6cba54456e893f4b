package embedded

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"fairbridge/pkg/sqlitedb"
)

// machine is a queue on a machine whose wall clock can be set.
type machine struct {
	*testing.T
	sqs *SQS
	url string
	// up is the time that has really passed, set the wall clock's error.
	up, set time.Duration
}

var switchedOn = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func (m *machine) now() time.Time { return switchedOn.Add(m.up + m.set) }

func newMachine(t *testing.T) *machine {
	t.Helper()
	m := &machine{T: t}
	d, err := sqlitedb.Open(t.Context(), filepath.Join(t.TempDir(), "test.db"))
	m.must(err)
	t.Cleanup(func() { m.must(d.Close()) })
	m.restart(d)
	m.url, err = m.sqs.CreateQueue(t.Context(), Queue{Name: "work", VisibilityTimeout: 15 * time.Minute})
	m.must(err)
	return m
}

// restart opens the queue again, as a new process does.
func (m *machine) restart(d *sqlitedb.DB) {
	var err error
	m.sqs, err = NewSQS(SQSConfig{DB: d, Now: m.now})
	m.must(err)
	var last time.Duration // of the monotonic clock
	m.sqs.clock.passed = func(time.Time, time.Time) time.Duration {
		passed := m.up - last
		last = m.up
		return passed
	}
	m.must(m.sqs.KeepWaits(m.Context()))
}

func (m *machine) must(err error) {
	m.Helper()
	if err != nil {
		m.Fatal(err)
	}
}

func (m *machine) send(body string) {
	m.Helper()
	_, err := m.sqs.SendMessage(m.Context(), &sqs.SendMessageInput{QueueUrl: &m.url, MessageBody: &body})
	m.must(err)
}

func (m *machine) receive() []types.Message {
	m.Helper()
	out, err := m.sqs.ReceiveMessage(m.Context(), &sqs.ReceiveMessageInput{QueueUrl: &m.url, MaxNumberOfMessages: 10,
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameAll}})
	m.must(err)
	return out.Messages
}

func (m *machine) hide(message types.Message, long time.Duration) {
	m.Helper()
	_, err := m.sqs.ChangeMessageVisibility(m.Context(), &sqs.ChangeMessageVisibilityInput{
		QueueUrl: &m.url, ReceiptHandle: message.ReceiptHandle, VisibilityTimeout: int32(long / time.Second)})
	m.must(err)
}

// TestClockIsSet checks that setting the clock changes no wait and loses nothing: a hidden
// message stays hidden for the rest of its time, and one sent afterwards is visible at
// once.
func TestClockIsSet(t *testing.T) {
	for name, by := range map[string]time.Duration{
		"two hours back": -2 * time.Hour, "two hours on": 2 * time.Hour,
		"forty days on": 40 * 24 * time.Hour, "forty days back": -40 * 24 * time.Hour,
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t)
			m.send("hidden")
			m.hide(m.receive()[0], 10*time.Minute)
			m.up += time.Minute
			m.receive()
			m.set = by
			m.up += time.Second
			m.send("after")
			if got := m.receive(); len(got) != 1 || aws.ToString(got[0].Body) != "after" {
				t.Fatalf("received %v; want what was sent after", bodies(got))
			}
			m.up += 8*time.Minute + 50*time.Second
			if got := m.receive(); len(got) != 0 {
				t.Errorf("received %v before its time", bodies(got))
			}
			m.up += 10 * time.Second
			got := m.receive()
			if len(got) != 1 || aws.ToString(got[0].Body) != "hidden" {
				t.Fatalf("received %v; want the hidden message", bodies(got))
			}
			m.hide(got[0], 12*time.Hour-time.Second) // its limit has moved too
		})
	}
}

// TestClockIsSetMeanwhile sets the clock while no process runs: no wait becomes longer, and
// nothing expires.
func TestClockIsSetMeanwhile(t *testing.T) {
	for name, by := range map[string]time.Duration{"back": -2 * time.Hour, "on": 40 * 24 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t)
			m.send("hidden")
			m.hide(m.receive()[0], 10*time.Minute)
			m.set = by
			m.restart(m.sqs.db)
			m.up += 10 * time.Minute
			if got := m.receive(); len(got) != 1 {
				t.Errorf("received %v; want the hidden message", bodies(got))
			}
		})
	}
}

// TestClockIsSetBackBeforeReceive checks that messages which are visible when the clock is
// set back remain so, however long ago they were sent and whether or not they were hidden
// before.
func TestClockIsSetBackBeforeReceive(t *testing.T) {
	for _, ago := range []time.Duration{0, time.Second, time.Hour} {
		for _, restarted := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s ago, restarted %t", ago, restarted), func(t *testing.T) {
				m := newMachine(t)
				m.send("hidden for a second")
				m.hide(m.receive()[0], time.Second)
				m.send("at once")
				m.up += ago
				if restarted {
					m.restart(m.sqs.db)
				}
				m.set = -5 * 365 * 24 * time.Hour
				want := 2
				if ago == 0 {
					want = 1
				}
				if got := m.receive(); len(got) != want {
					t.Errorf("received %v; want %d", bodies(got), want)
				}
				m.up += time.Second
				if got := m.receive(); len(got) != 2-want {
					t.Errorf("received %v a second later", bodies(got))
				}
			})
		}
	}
}

// TestClockIsSetAtTheStart sets the clock before the first receive.
func TestClockIsSetAtTheStart(t *testing.T) {
	m := newMachine(t)
	m.restart(m.sqs.db)
	_, err := m.sqs.SendMessageBatch(m.Context(), &sqs.SendMessageBatchInput{QueueUrl: &m.url, Entries: []types.SendMessageBatchRequestEntry{
		{Id: aws.String("a"), MessageBody: aws.String("at once")},
		{Id: aws.String("b"), MessageBody: aws.String("in a minute"), DelaySeconds: 60},
	}})
	m.must(err)
	m.set = -5 * 365 * 24 * time.Hour
	if got := m.receive(); len(got) != 1 {
		t.Errorf("received %v; want the one without a delay", bodies(got))
	}
	m.up += time.Minute
	if got := m.receive(); len(got) != 1 || aws.ToString(got[0].Body) != "in a minute" {
		t.Errorf("received %v; want the delayed one", bodies(got))
	}
}

// TestSentTimeNeverGoesBack checks that a message's sent time is later than that of any
// message received before, in whatever queue: otherwise it would be mistaken for an old
// copy.
func TestSentTimeNeverGoesBack(t *testing.T) {
	m := newMachine(t)
	other, err := m.sqs.CreateQueue(t.Context(), Queue{Name: "other", VisibilityTimeout: time.Minute})
	m.must(err)
	work := m.url
	var last string
	for i, set := range []time.Duration{0, 0, -time.Hour, -time.Hour, time.Hour, 0} {
		m.set = set
		if m.url = work; i%2 == 1 {
			m.url = other
		}
		m.send("one")
		sent := m.receive()[0].Attributes["SentTimestamp"]
		if sent <= last {
			t.Errorf("message %d was sent at %s, the one before at %s", i, sent, last)
		}
		last = sent
	}
}

func bodies(messages []types.Message) (all []string) {
	for _, m := range messages {
		all = append(all, aws.ToString(m.Body))
	}
	return all
}
