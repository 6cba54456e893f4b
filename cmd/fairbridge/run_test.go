package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"fairbridge/pkg/centercode/centercodetest"
	"fairbridge/pkg/embedded"
	"fairbridge/pkg/ledger"
	"fairbridge/pkg/ledger/sqlite"
	"fairbridge/pkg/queue"
	"fairbridge/pkg/testfairy"
	"fairbridge/pkg/testfairy/testfairytest"
)

// farEnd is what a bridge speaks to, and outlives it.
type farEnd struct {
	center    *centercodetest.Simulator
	testfairy *testfairytest.Server
	config    string

	mu     sync.Mutex
	around func(http.Handler) http.Handler
}

// interpose puts something between the bridge and the far end.
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

// newFarEnd starts a Centercode and a TestFairy, and writes the fairbridge.yaml
// of a bridge between them.
func newFarEnd(t *testing.T, extra string) *farEnd {
	t.Helper()
	center, err := centercodetest.New(centercodetest.Options{APIKeys: []string{centercodeKey}})
	if err != nil {
		t.Fatal(err)
	}
	f := &farEnd{center: center, testfairy: testfairytest.New(testfairytest.Options{})}
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
        endpoint: /api/v1/projects/DEMO/feedback/{{ .ticketId }}/files/screenshot
%s`, centerServer.URL, sourceServer.URL, extra)
	if err := os.WriteFile(f.config, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	return f
}

const lookUp = `    lookup: {package: deliveries, column: Delivery ID, ticketColumn: Ticket ID, settle: 0s}
`

// process is `fairbridge run` as a process of its own.
type process struct {
	t       *testing.T
	cmd     *exec.Cmd
	webhook string
	out     *record
	ended   chan error
}

// record keeps what a process prints.
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

// launch is startBridge for a process that may end before it is ready.
func launch(t *testing.T, f *farEnd, data, env string) (*process, error) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, out: &record{news: make(chan struct{}, 1)}, ended: make(chan error, 1)}
	p.cmd = exec.Command(self, "run", "--json", "--config", f.config, "--data", data, "--listen", "127.0.0.1:0")
	p.cmd.Env = append(os.Environ(), asCommand+"=1", "FAIRBRIDGE_CENTERCODE_API_KEY="+centercodeKey, env)
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.cmd.Stderr = p.cmd.Stdout
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ready := make(chan string, 1)
	go func() {
		lines := bufio.NewScanner(stdout)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			p.out.add(lines.Text())
			var first struct{ Stage, Webhook string }
			if json.Unmarshal(lines.Bytes(), &first) == nil && first.Stage == "ready" {
				ready <- first.Webhook
			}
		}
		p.ended <- p.cmd.Wait()
	}()
	t.Cleanup(func() { p.kill() })
	select {
	case p.webhook = <-ready:
		return p, nil
	case err := <-p.ended:
		p.ended <- err
		return p, fmt.Errorf("it ended: %w", err)
	case <-time.After(time.Minute):
		return p, errors.New("it is not ready within a minute")
	}
}

// kill is kill -9, and waits until the process is gone.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	p.wait()
}

// interrupt is Ctrl-C. It returns the exit code.
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
		p.t.Errorf("the bridge does not end:\n%s", p.out)
	}
}

// until waits for a condition that changes with what the process prints.
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
			p.t.Fatalf("%s did not happen:\n%s", what, p.out)
		}
	}
}

// deliver sends a payload. It returns the delivery id if it was accepted.
func deliver(ctx context.Context, webhook, payload string) (id string, accepted bool) {
	status, answer, err := post(ctx, webhook, []byte(payload))
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

// state opens the bridge's folder beside it.
type state struct {
	t      *testing.T
	home   *embedded.Home
	ledger *ledger.Ledger
}

func openState(t *testing.T, data string) *state {
	t.Helper()
	home, err := embedded.Open(t.Context(), data)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { home.Close() })
	store, err := sqlite.New(t.Context(), home.DB)
	if err != nil {
		t.Fatal(err)
	}
	return &state{t: t, home: home, ledger: ledger.New(store, time.Now, ledger.DefaultLease)}
}

// settled waits until every delivery has ended.
func (s *state) settled() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 2*time.Minute)
	defer cancel()
	if err := s.home.Settled(ctx); err != nil {
		s.t.Fatal(err)
	}
}

// letters returns the dead letters, and leaves them hidden for a while.
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

// ticketsOf counts the tickets of each delivery, and holds their screenshots
// against the source.
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

// TestKillNine kills the running command in the middle of 200 deliveries and
// starts it again. Each of the 200 has its one ticket: where the answer died with
// the process it is looked up, or, with look-up switched off, parked.
func TestKillNine(t *testing.T) {
	const deliveries = 200
	for _, tc := range []struct {
		name, extra string
	}{{"with look-up", lookUp}, {"without look-up", ""}} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			f, data := newFarEnd(t, tc.extra), t.TempDir()
			// Slow enough that there is always a ticket on its way.
			f.center.Inject(centercodetest.Fault{Op: centercodetest.OpCreate, Times: -1, Delay: 20 * time.Millisecond, After: true})
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
			again := 0
			for n := range refused {
				again++
				if _, ok := deliver(t.Context(), p.webhook, payload(n)); !ok {
					t.Errorf("delivery %d is not accepted after the restart", n)
				}
			}
			s := openState(t, data)
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
			t.Logf("%d refused by the kill, %d tickets, %d ambiguous", again, len(tickets), len(dead))
			if strings.Contains(p.out.String(), centercodeKey) {
				t.Error("the API key was printed")
			}
		})
	}
}

// TestInterruptFinishesWhatIsInHand: Ctrl-C during slow tickets waits for them.
func TestInterruptFinishesWhatIsInHand(t *testing.T) {
	f, data := newFarEnd(t, ""), t.TempDir()
	f.center.Inject(centercodetest.Fault{Op: centercodetest.OpCreate, Times: -1, Delay: time.Second, After: true})
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
			continue // not begun
		}
		if e.State == ledger.Creating || e.Owner != "" {
			t.Errorf("left in hand: %+v", e)
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

// TestSecondBridgeIsRefused: two processes may not work on one folder.
func TestSecondBridgeIsRefused(t *testing.T) {
	f, data := newFarEnd(t, ""), t.TempDir()
	startBridge(t, f, data)
	var out strings.Builder
	code := execute(t.Context(), []string{"run", "--config", f.config, "--data", data, "--listen", "127.0.0.1:0"},
		streams{in: strings.NewReader(""), out: io.Discard, err: &out})
	if code != exitLeft || !strings.Contains(out.String(), "another") {
		t.Errorf("exit code %d: %s", code, out.String())
	}
}

// TestBadInput is what each kind of bad input gets, through the real listener,
// queue, worker and simulator.
func TestBadInput(t *testing.T) {
	f, data := newFarEnd(t, ""), t.TempDir()
	p := startBridge(t, f, data)
	hook, err := url.Parse(p.webhook)
	if err != nil {
		t.Fatal(err)
	}
	with := func(edit func(*url.URL)) string {
		u := *hook
		edit(&u)
		return u.String()
	}
	good := payload(1)
	for _, tc := range []struct {
		name, method, url, body string
		status                  int
		says                    []string
	}{
		{"no token", "POST", with(func(u *url.URL) { u.RawQuery = "" }), good, 401, nil},
		{"wrong token", "POST", with(func(u *url.URL) { u.RawQuery = "token=guess-me-if-you-can" }), good, 401, nil},
		{"not JSON", "POST", p.webhook, "hello", 400, []string{"JSON"}},
		{"an array", "POST", p.webhook, "[1]", 400, []string{"object"}},
		{"no event", "POST", p.webhook, `{"text":"a"}`, 400, []string{"event"}},
		{"every field bad", "POST", p.webhook,
			`{"event":"feedback","text":{},"email":"alice","screenshotUrl":"a.jpg","sessionUrl":1,"filesize":"big"}`, 400,
			[]string{"text", "email", "screenshotUrl", "sessionUrl", "filesize"}},
		{"too large", "POST", p.webhook, `{"event":"feedback","text":"` + strings.Repeat("x", 1_000_000) + `"}`, 413, nil},
		{"GET", "GET", p.webhook, "", 405, nil},
		{"another path", "POST", with(func(u *url.URL) { u.Path = "/webhooks/other" }), good, 404, nil},
		{"a kind that no route wants", "POST", p.webhook, `{"event":"upload"}`, 200, []string{"ignored"}},
		{"an unknown kind", "POST", p.webhook, `{"event":"new-udid"}`, 200, []string{"ignored"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), tc.method, tc.url, strings.NewReader(tc.body))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "application/json")
			resp, err := http.DefaultTransport.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			if resp.StatusCode != tc.status {
				t.Errorf("HTTP %d, want %d: %s", resp.StatusCode, tc.status, body)
			}
			for _, s := range tc.says {
				if !strings.Contains(string(body), s) {
					t.Errorf("the answer does not say %q: %s", s, body)
				}
			}
			if tc.status >= 400 && resp.Header.Get("Content-Type") != "application/problem+json" {
				t.Errorf("content type %s", resp.Header.Get("Content-Type"))
			}
			if tc.status == 405 && resp.Header.Get("Allow") != "POST" {
				t.Errorf("Allow: %s", resp.Header.Get("Allow"))
			}
		})
	}
	p.interrupt()
	if n := len(f.center.Tickets()); n != 0 {
		t.Errorf("bad input made %d tickets", n)
	}
	for _, secret := range []string{"guess-me-if-you-can", centercodeKey} {
		if strings.Contains(p.out.String(), secret) {
			t.Errorf("the output shows %q:\n%s", secret, p.out)
		}
	}
}

// TestOddTextArrives: whatever a tester typed is in the ticket.
func TestOddTextArrives(t *testing.T) {
	f, data := newFarEnd(t, ""), t.TempDir()
	p := startBridge(t, f, data)
	body := "{\"event\":\"feedback\",\"text\":\"nul \\u0000 raw \x01\x1f\t broken \xff\xc3( end \xef\xbf\xbe \\uffff \U0001F9D1\u200d\U0001F680\"}"
	event, err := testfairy.Decode([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	id, ok := deliver(t.Context(), p.webhook, body)
	if !ok || id != event.DeliveryID() {
		t.Fatalf("not accepted, or as %s and not %s:\n%s", id, event.DeliveryID(), p.out)
	}
	openState(t, data).settled()
	tickets := f.center.Tickets()
	want := "nul \x00 raw \x01\x1f\t broken \uFFFD\uFFFD( end \uFFFE \uFFFF \U0001F9D1\u200d\U0001F680"
	if len(tickets) != 1 || tickets[0].Fields["summary"] != want {
		t.Errorf("tickets %+v, want %q", tickets, want)
	}
}

// TestSamePayloadAtOnce: 100 times the same webhook is 100 times 202, one ticket.
func TestSamePayloadAtOnce(t *testing.T) {
	f, data := newFarEnd(t, ""), t.TempDir()
	p := startBridge(t, f, data)
	var senders sync.WaitGroup
	for range 100 {
		senders.Go(func() {
			if _, ok := deliver(t.Context(), p.webhook, payload(1)); !ok {
				t.Error("not accepted")
			}
		})
	}
	senders.Wait()
	s := openState(t, data)
	s.settled()
	if n := len(f.center.Tickets()); n != 1 {
		t.Errorf("%d tickets", n)
	}
	if letters := s.letters(); len(letters) != 0 {
		t.Errorf("dead letters %+v", letters)
	}
}
