package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"

	centercodesim "fairbridge/pkg/centercode/simulator"
	"fairbridge/pkg/queue"
	"fairbridge/pkg/testfairy"
)

// inFlight is the number of deliveries processed at once: four batches of ten.
const inFlight = 40

// The request in which a delivery is when the bridge is killed, by its number modulo five.
// With ...Done the request was carried out, and only the response is missing.
const (
	createAnnounced = iota
	createDone
	fileAnnounced
	fileDone
	fetching
	stages
)

// TestKilledWithFortyInFlight kills the bridge while each of its deliveries is in a
// request, and twice more while the next process repeats them. With a look-up nothing needs
// a person; without one only tickets whose own request was in flight do, and no file.
func TestKilledWithFortyInFlight(t *testing.T) {
	for _, tc := range []struct {
		name, extra string
		letters     func(stage int) bool
	}{
		{"looked up", strings.Replace(lookUp, "settle: 0s", "settle: 100ms", 1), func(int) bool { return false }},
		{"parked", "", func(stage int) bool { return stage == createAnnounced || stage == createDone }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			f, data := newFarEnd(t, tc.extra), t.TempDir()
			uploadsAsShipped(t, f)
			h := hold(f)
			s := openState(t, data)
			stageOf := map[string]int{}
			for n := range inFlight {
				stageOf[s.enqueue(payload(n))] = n % stages
			}
			p := startBridge(t, f, data)
			p.until("forty requests in flight", func() bool { return h.count() == inFlight })
			p.kill()
			for range 2 {
				h.forget()
				p = startBridge(t, f, data)
				p.until("one of them is in flight again", func() bool { return h.count() > 0 })
				p.kill()
			}
			h.release()

			again := startBridge(t, f, data)
			s.settled()
			again.interrupt()
			letters := map[string]queue.DeadLetter{}
			for _, l := range s.letters() {
				letters[l.DeliveryID] = l
			}
			tickets := map[string]centercodesim.Ticket{}
			for _, ticket := range f.center.Tickets() {
				id, _ := ticket.Fields["deliveryId"].(string)
				if _, twice := tickets[id]; twice {
					t.Errorf("delivery %s has two tickets", id)
				}
				tickets[id] = ticket
			}
			for id, stage := range stageOf {
				l, dead := letters[id]
				ticket, made := tickets[id]
				switch {
				case dead != tc.letters(stage):
					t.Errorf("killed at stage %d: dead letter %t: %+v", stage, dead, l)
				case dead && l.Reason != queue.ReasonAmbiguous:
					t.Errorf("killed at stage %d: a dead letter of reason %s", stage, l.Reason)
				case !dead && (!made || len(ticket.Files) == 0):
					t.Errorf("killed at stage %d: no complete ticket: %+v", stage, ticket)
				case stage != fileDone && len(ticket.Files) > 1:
					t.Errorf("killed at stage %d: %d files", stage, len(ticket.Files))
				}
			}
			t.Logf("%d in flight at the first of three kill -9: %d dead letters", inFlight, len(letters))
		})
	}
}

// uploadsAsShipped uses the default for files whose response was lost.
func uploadsAsShipped(t *testing.T, f *farEnd) {
	t.Helper()
	yaml, err := os.ReadFile(f.config)
	if err != nil {
		t.Fatal(err)
	}
	shipped := bytes.Replace(yaml, []byte("        onLostAnswer: park\n"), nil, 1)
	if len(shipped) == len(yaml) {
		t.Fatal("the mapping has no onLostAnswer for files")
	}
	if err := os.WriteFile(f.config, shipped, 0o600); err != nil {
		t.Fatal(err)
	}
}

// holding makes each delivery hang in the request of its stage.
type holding struct {
	f        *farEnd
	released chan struct{}

	mu   sync.Mutex
	held map[int]bool // by the delivery's number
}

func hold(f *farEnd) *holding {
	h := &holding{f: f, released: make(chan struct{}), held: map[int]bool{}}
	f.interpose(h.around)
	return h
}

func (h *holding) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.held)
}

// forget resets the count.
func (h *holding) forget() {
	h.mu.Lock()
	defer h.mu.Unlock()
	clear(h.held)
}

// release ends the hanging requests without a response, and lets later ones pass.
func (h *holding) release() {
	h.f.interpose(nil)
	close(h.released)
}

func (h *holding) around(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
		if err != nil {
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		n, announced, done := h.which(r.URL.Path, body)
		stage := n % stages
		if n < 0 || stage != announced && stage != done {
			next.ServeHTTP(w, r)
			return
		}
		if stage == done {
			next.ServeHTTP(httptest.NewRecorder(), r)
		}
		h.mu.Lock()
		h.held[n] = true
		h.mu.Unlock()
		<-h.released
		panic(http.ErrAbortHandler)
	})
}

// which returns the number of the delivery that a request is for, below 0 for none, and the
// two stages that hang in such a request.
func (h *holding) which(path string, body []byte) (n, announced, done int) {
	number := func(text string) int {
		n, err := strconv.Atoi(text)
		if err != nil {
			return -1
		}
		return n
	}
	if name, picture := strings.CutSuffix(path, ".jpg"); picture {
		return number(strings.TrimPrefix(name, "/")), fetching, fetching
	}
	if strings.HasSuffix(path, "/files/screenshot") {
		for _, t := range h.f.center.Tickets() {
			if summary, _ := t.Fields["summary"].(string); strings.Contains(path, "/"+t.ID+"/") {
				return number(strings.TrimPrefix(summary, "feedback ")), fileAnnounced, fileDone
			}
		}
	}
	var fields struct{ Summary string }
	if json.Unmarshal(body, &fields) != nil {
		return -1, 0, 0
	}
	return number(strings.TrimPrefix(fields.Summary, "feedback ")), createAnnounced, createDone
}

// enqueue queues a payload as ingest does, and returns its delivery id.
func (s *state) enqueue(payload string) string {
	s.t.Helper()
	event, err := testfairy.Decode([]byte(payload))
	if err != nil {
		s.t.Fatal(err)
	}
	id := event.DeliveryID()
	body, err := queue.Envelope{DeliveryID: id, ReceivedAt: time.Now(), Event: event.JSON}.Encode()
	if err != nil {
		s.t.Fatal(err)
	}
	_, err = s.home.SQS.SendMessage(s.t.Context(), &sqs.SendMessageInput{
		QueueUrl: &s.home.WorkQueueURL, MessageBody: &body, MessageAttributes: queue.DeliveryAttributes(id, string(event.Kind))})
	if err != nil {
		s.t.Fatal(err)
	}
	return id
}
