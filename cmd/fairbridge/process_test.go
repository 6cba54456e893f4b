package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"

	centercodesim "fairbridge/pkg/centercode/simulator"
	"fairbridge/pkg/embedded"
	"fairbridge/pkg/embedded/embeddedtest"
	"fairbridge/pkg/home"
	"fairbridge/pkg/ledger"
	"fairbridge/pkg/ledger/ledgertest"
	"fairbridge/pkg/queue"
	testfairysim "fairbridge/pkg/testfairy/simulator"
)

// farEnd holds the simulators that a bridge connects to, and outlives it.
type farEnd struct {
	center    *centercodesim.Simulator
	testfairy *testfairysim.Server
	config    string

	mu     sync.Mutex
	around func(http.Handler) http.Handler
}

// interpose wraps the handlers of the simulators.
func (f *farEnd) interpose(around func(http.Handler) http.Handler) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.around = around
}

func (f *farEnd) serve(h http.Handler) *httptest.Server {
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		around := f.around
		f.mu.Unlock()
		if around != nil {
			around(h).ServeHTTP(w, r)
			return
		}
		h.ServeHTTP(w, r)
	}))
}

const centercodeKey = "k3y-that-nobody-may-see"

// newFarEnd starts a Centercode and a TestFairy, and writes the fairbridge.yaml of a bridge
// between them.
func newFarEnd(t *testing.T, extra string) *farEnd {
	t.Helper()
	center, err := centercodesim.New(centercodesim.Config{APIKeys: []string{centercodeKey}})
	if err != nil {
		t.Fatal(err)
	}
	f := &farEnd{center: center, testfairy: testfairysim.New(testfairysim.Config{})}
	centerServer, sourceServer := f.serve(center.Handler()), f.serve(f.testfairy.Handler())
	t.Cleanup(func() {
		center.Close()
		centerServer.Close()
		sourceServer.Close()
	})
	f.config = filepath.Join(t.TempDir(), "fairbridge.yaml")
	yaml := fmt.Sprintf(`centercode: {baseUrl: %q}
sources: {resolve: {app.testfairy.com: %q}}
routes:
  - match: {event: feedback}
    project: DEMO
    source: testfairy
    fields:
      submitter: "{{ .email }}"
      summary: "{{ .text }}"
      deliveryId: "{{ .deliveryId }}"
    attachments:
      - from: "{{ .screenshotUrl }}"
        element: screenshot
        onLostAnswer: park
        endpoint: /api/v1/projects/DEMO/feedback/{{ .ticketId }}/files/screenshot
%s`, centerServer.URL, sourceServer.URL, extra)
	if err := os.WriteFile(f.config, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	return f
}

// simulated writes a fairbridge.yaml without a Centercode, so that tickets are sent to the
// simulator.
func simulated(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "fairbridge.yaml")
	yaml := `routes: [{match: {event: feedback}, project: DEMO, source: testfairy, fields: {summary: "{{ .text }}"}}]`
	if err := os.WriteFile(path, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const lookUp = `    lookup: {package: deliveries, column: Delivery ID, ticketColumn: Ticket ID, settle: 0s}
`

// process is `fairbridge run` as a separate process.
type process struct {
	t       *testing.T
	cmd     *exec.Cmd
	webhook string
	metrics string
	out     *record
	ended   chan error
}

// record collects the output of a process.
type record struct {
	mu   sync.Mutex
	text strings.Builder
	news chan struct{}
}

func (r *record) add(line string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.text.WriteString(line + "\n")
	select {
	case r.news <- struct{}{}:
	default:
	}
}

func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}

// startBridge starts the real command and waits until it is ready.
func startBridge(t *testing.T, f *farEnd, data string) *process {
	t.Helper()
	p, err := launch(t, f, data, "")
	if err != nil {
		t.Fatalf("the bridge does not start (%v):\n%s", err, p.out)
	}
	return p
}

// launch is startBridge for a process that may exit before it is ready.
func launch(t *testing.T, f *farEnd, data, env string) (*process, error) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "run", "--json", "--show-token", "--config", f.config, "--data", data, "--listen", "127.0.0.1:0", "--console", "off", "--metrics", "127.0.0.1:0")
	cmd.Env = append(os.Environ(), asCommand+"=1", "FAIRBRIDGE_CENTERCODE_API_KEY="+centercodeKey, env)
	return follow(t, cmd)
}

// follow starts a bridge that logs JSON, and waits until it is ready or has exited.
func follow(t *testing.T, cmd *exec.Cmd) (*process, error) {
	t.Helper()
	p := &process{t: t, cmd: cmd, out: &record{news: make(chan struct{}, 1)}, ended: make(chan error, 1)}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.cmd.Stderr = p.cmd.Stdout
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	type addresses struct{ Stage, Webhook, Metrics string }
	ready := make(chan addresses, 1)
	go func() {
		lines := bufio.NewScanner(stdout)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			p.out.add(lines.Text())
			var first addresses
			if json.Unmarshal(lines.Bytes(), &first) == nil && first.Stage == "ready" {
				ready <- first
			}
		}
		p.ended <- p.cmd.Wait()
	}()
	t.Cleanup(func() { p.kill() })
	select {
	case at := <-ready:
		p.webhook, p.metrics = at.Webhook, at.Metrics
		return p, nil
	case err := <-p.ended:
		p.ended <- err
		return p, fmt.Errorf("it ended: %w", err)
	case <-time.After(time.Minute):
		return p, errors.New("it is not ready within a minute")
	}
}

// kill sends SIGKILL, and waits until the process has exited.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	p.wait()
}

// interrupt sends SIGINT, as Ctrl-C does, and returns the exit code.
func (p *process) interrupt() int {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGINT); err != nil {
		p.t.Fatal(err)
	}
	p.wait()
	return p.cmd.ProcessState.ExitCode()
}

func (p *process) wait() {
	select {
	case err := <-p.ended:
		p.ended <- err
	case <-time.After(time.Minute):
		p.t.Errorf("the bridge does not exit:\n%s", p.out)
	}
}

// until waits for a condition, which it checks whenever the process prints something.
func (p *process) until(what string, ok func() bool) {
	p.t.Helper()
	deadline := time.After(2 * time.Minute)
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	for !ok() {
		select {
		case <-p.out.news:
		case <-look.C:
		case <-deadline:
			p.t.Fatalf("timed out waiting for %s:\n%s", what, p.out)
		}
	}
}

// deliver sends a payload. It returns the delivery id if it was accepted.
func deliver(ctx context.Context, webhook, payload string) (id string, accepted bool) {
	status, answer, err := home.Send(ctx, webhook, []byte(payload))
	if err != nil || status != http.StatusAccepted {
		return "", false
	}
	var body struct{ DeliveryID string }
	if json.Unmarshal([]byte(answer), &body) != nil {
		return "", false
	}
	return body.DeliveryID, true
}

func payload(n int) string {
	return fmt.Sprintf(`{"event":"feedback","email":"alice@corporation.com","text":"feedback %d","screenshotUrl":"https://app.testfairy.com/%d.jpg"}`, n, n)
}

// state opens the bridge's folder in addition to the bridge.
type state struct {
	t      *testing.T
	home   *embedded.Home
	ledger *ledger.Ledger
}

func openState(t *testing.T, data string) *state {
	t.Helper()
	home, err := embedded.Open(t.Context(), embedded.Config{Folder: data})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { home.Close() })
	return &state{t: t, home: home, ledger: ledgertest.New(t, ledger.Config{Store: home.Ledger})}
}

// settled waits until every delivery has ended.
func (s *state) settled() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 2*time.Minute)
	defer cancel()
	if err := embeddedtest.Settled(ctx, s.home); err != nil {
		s.t.Fatal(err)
	}
}

// forgetFailures ends every wait caused by Centercode's failures, as if there had been
// none. The bridge must not run.
func (s *state) forgetFailures() {
	s.t.Helper()
	ctx := s.t.Context()
	err := errors.Join(
		s.home.Ledger.Delete(ctx, "#breaker/DEMO"),
		s.home.SQS.WakeAll(ctx, s.home.WorkQueueURL, 0))
	if err != nil {
		s.t.Fatal(err)
	}
}

// letters returns the dead letters, which are then hidden for a while.
func (s *state) letters() []queue.DeadLetter {
	s.t.Helper()
	var all []queue.DeadLetter
	for {
		out, err := s.home.SQS.ReceiveMessage(s.t.Context(), &sqs.ReceiveMessageInput{
			QueueUrl: &s.home.DeadLetterQueueURL, MaxNumberOfMessages: 10, MessageAttributeNames: []string{"All"}})
		if err != nil {
			s.t.Fatal(err)
		}
		if len(out.Messages) == 0 {
			return all
		}
		for _, m := range out.Messages {
			all = append(all, queue.ParseDeadLetter(m.MessageAttributes))
		}
	}
}

// ticketsOf counts the tickets of each delivery, and compares their screenshots with the
// source.
func (f *farEnd) ticketsOf(t *testing.T) map[string]int {
	t.Helper()
	n := map[string]int{}
	for _, ticket := range f.center.Tickets() {
		id, _ := ticket.Fields["deliveryId"].(string)
		n[id]++
		if len(ticket.Files) > 1 {
			t.Errorf("ticket %s has %d files", ticket.ID, len(ticket.Files))
		}
		for _, file := range ticket.Files {
			path := strings.Replace(ticket.Fields["summary"].(string), "feedback ", "/", 1) + ".jpg"
			if file.SHA256 != f.testfairy.SHA256(path) {
				t.Errorf("ticket %s: the screenshot differs from its source", ticket.ID)
			}
		}
	}
	return n
}
