package worker_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"fairbridge/pkg/centercode"
	"fairbridge/pkg/ledger"
	"fairbridge/pkg/mapping"
	"fairbridge/pkg/queue"
	"fairbridge/pkg/testfairy"
)

// previousEntry is what a worker of the previous version knows of an entry: it ignores the
// rest, and rewrites the entry without it.
type previousEntry struct {
	DeliveryID    string                       `json:"deliveryId"`
	State         ledger.State                 `json:"state"`
	Owner         string                       `json:"owner,omitempty"`
	LeaseUntil    time.Time                    `json:"leaseUntil,omitzero"`
	CreatingSince time.Time                    `json:"creatingSince,omitzero"`
	TicketID      string                       `json:"ticketId,omitempty"`
	Files         map[string]string            `json:"files,omitempty"`
	AnswerKeys    []string                     `json:"answerKeys,omitempty"`
	Attaching     string                       `json:"attaching,omitempty"`
	Attached      map[string]ledger.Attachment `json:"attached,omitempty"`
	Attempts      int                          `json:"attempts"`
	Replays       int                          `json:"replays,omitempty"`
	Generation    int                          `json:"generation,omitempty"`
	Last          *ledger.Fault                `json:"last,omitempty"`
	Resume        ledger.State                 `json:"resume,omitempty"`
	FirstSeen     time.Time                    `json:"firstSeen"`
	UpdatedAt     time.Time                    `json:"updatedAt"`
}

// previous is a worker of the previous version, with its rules about which messages it
// accepts and what it writes, when. It is killed after killAfter changes, or not at all if
// that is -1.
type previous struct {
	*world
	killAfter, changes int

	e       previousEntry
	version int64
}

var errKilled = errors.New("killed")

// changed counts a change, and returns errKilled if it was the last.
func (p *previous) changed() error {
	if p.changes++; p.changes == p.killAfter {
		return errKilled
	}
	return nil
}

// write writes the entry as a new item, which is in no index of attention.
func (p *previous) write(state ledger.State) error {
	p.Helper()
	p.e.State, p.e.UpdatedAt = state, p.clock.Now()
	p.version++
	p.must(p.store.Put(p.Context(), ledger.Record{
		ID: p.e.DeliveryID, Version: p.version, State: string(state), Doc: mustJSON(p.world, p.e),
		ExpiresAt: p.e.UpdatedAt.Add(35 * 24 * time.Hour).UTC().Truncate(time.Second),
	}))
	return p.changed()
}

// end is write with the lease released.
func (p *previous) end(state ledger.State) error {
	p.e.Owner, p.e.LeaseUntil = "", time.Time{}
	return p.write(state)
}

// handle reports whether the message is done.
func (p *previous) handle(m types.Message) (done bool, err error) {
	p.Helper()
	envelope, err := queue.Decode(*m.Body)
	p.must(err)
	generation := queue.ParseDeadLetter(m.MessageAttributes).Generation // 0 if the message has none
	p.e = previousEntry{DeliveryID: envelope.DeliveryID, State: ledger.Claimed, Generation: generation, FirstSeen: p.clock.Now()}
	r, err := p.store.Get(p.Context(), envelope.DeliveryID)
	if err == nil {
		p.e, p.version = previousEntry{}, r.Version
		p.must(json.Unmarshal(r.Doc, &p.e))
	} else if !errors.Is(err, ledger.ErrNotFound) {
		return false, err
	}
	switch {
	case p.e.State == ledger.Completed:
		return true, nil
	case p.e.Owner != "" && p.clock.Now().Before(p.e.LeaseUntil):
		return false, nil
	case generation < p.e.Generation:
		return true, nil
	}
	if p.e.State == ledger.Dead {
		p.e.State, p.e.Resume = p.e.Resume, ""
		p.e.Replays++
	}
	p.e.Generation = max(p.e.Generation, generation)
	p.e.Owner, p.e.LeaseUntil = "previous", p.clock.Now().Add(ledger.Lease)
	p.e.Attempts++
	if err := p.write(p.e.State); err != nil {
		return false, err
	}
	return p.work(m, envelope)
}

// work continues from the entry's state.
func (p *previous) work(m types.Message, envelope queue.Envelope) (done bool, err error) {
	p.Helper()
	client, err := centercode.New(centercode.Config{BaseURL: p.centerURL, HTTP: http.DefaultClient})
	p.must(err)
	event, err := testfairy.Decode(envelope.Event)
	p.must(err)
	request, err := p.config.Map(mapping.Input{Event: event, DeliveryID: envelope.DeliveryID, ReceivedAt: envelope.ReceivedAt})
	if err != nil {
		return p.bury(m, queue.ReasonUnroutable, "map", 0)
	}
	switch p.e.State {
	case ledger.Creating:
		return p.bury(m, queue.ReasonAmbiguous, "create", 0)
	case ledger.Claimed:
		p.e.CreatingSince = p.clock.Now()
		if err := p.write(ledger.Creating); err != nil {
			return false, err
		}
		ticket, err := client.CreateTicket(p.Context(), centercode.CreateRequest{
			Project: request.Project, Source: request.Source, APIKey: apiKey, Body: request.Body})
		if err != nil {
			return p.failed(m, err, "create")
		}
		if err := p.changed(); err != nil {
			return false, err
		}
		p.e.TicketID, p.e.Files, p.e.AnswerKeys = ticket.ID, ticket.Files, ticket.AnswerKeys
		if err := p.write(ledger.Created); err != nil {
			return false, err
		}
	}
	if _, there := p.e.Attached["screenshot"]; !there {
		if p.e.Attaching != "" {
			return p.bury(m, queue.ReasonAmbiguous, "attach", 0)
		}
		p.e.Attaching = "screenshot"
		if err := p.write(p.e.State); err != nil {
			return false, err
		}
		if err := p.upload(client); err != nil {
			return p.failed(m, err, "attach")
		}
		if err := p.changed(); err != nil {
			return false, err
		}
		p.e.Attaching, p.e.Attached = "", map[string]ledger.Attachment{"screenshot": {Name: "1.jpg", At: p.clock.Now()}}
		if err := p.write(p.e.State); err != nil {
			return false, err
		}
	}
	return true, p.end(ledger.Completed)
}

func (p *previous) upload(client *centercode.Client) error {
	response, err := http.Get(p.sourceURL + "/1.jpg")
	p.must(err)
	picture, err := io.ReadAll(response.Body)
	p.must(errors.Join(err, response.Body.Close()))
	_, err = client.AddFile(p.Context(), centercode.FileRequest{Endpoint: p.e.Files["screenshot"], APIKey: apiKey, Name: "1.jpg",
		ContentType: "image/jpeg", Size: int64(len(picture)), Body: bytes.NewReader(picture)})
	return err
}

// failed buries or releases the delivery after an error of Centercode.
func (p *previous) failed(m types.Message, err error, stage queue.Stage) (bool, error) {
	var answer *centercode.Error
	if !errors.As(err, &answer) {
		return false, err
	}
	if answer.Lost {
		return p.bury(m, queue.ReasonAmbiguous, stage, answer.Status)
	}
	if p.e.Attaching = ""; p.e.State == ledger.Creating {
		p.e.State = ledger.Claimed
	}
	if answer.Status == http.StatusBadRequest {
		if err := p.write(p.e.State); err != nil { // a refused request is not a lost response
			return false, err
		}
		return p.bury(m, queue.ReasonRejected, stage, answer.Status)
	}
	p.e.Last = &ledger.Fault{Stage: string(stage), Status: answer.Status, Text: "no", At: p.clock.Now()}
	return false, p.end(p.e.State)
}

// bury writes the letter, then the mark.
func (p *previous) bury(m types.Message, reason queue.Reason, stage queue.Stage, status int) (bool, error) {
	letter := queue.DeadLetter{DeliveryID: p.e.DeliveryID, Event: "feedback", Reason: reason, Stage: stage, Status: status, Description: "no",
		Attempts: p.e.Attempts, FailedAt: p.clock.Now(), Generation: p.e.Generation + 1, Replays: queue.ParseDeadLetter(m.MessageAttributes).Replays}
	_, err := p.sqs.SendMessage(p.Context(), &sqs.SendMessageInput{QueueUrl: &p.dead, MessageBody: m.Body, MessageAttributes: letter.Attributes()})
	p.must(err)
	if err := p.changed(); err != nil {
		return false, err
	}
	p.e.Resume, p.e.Last = p.e.State, &ledger.Fault{Reason: string(reason), Stage: string(stage), Status: status, Text: "no", At: p.clock.Now()}
	p.e.Generation++
	return true, p.end(ledger.Dead)
}

// turn passes the next message of the work queue to the worker, and returns how many
// changes it made.
func (p *previous) turn() int {
	p.Helper()
	messages := p.receive(p.world.work)
	for len(messages) == 0 && p.sleep() {
		messages = p.receive(p.world.work)
	}
	for _, m := range messages {
		p.version = 0
		done, err := p.handle(m)
		if errors.Is(err, errKilled) {
			return p.changes
		}
		p.must(err)
		if done {
			_, err := p.sqs.DeleteMessage(p.Context(), &sqs.DeleteMessageInput{QueueUrl: &p.world.work, ReceiptHandle: m.ReceiptHandle})
			p.must(err)
		}
	}
	return p.changes
}

// TestWalkWithThePreviousVersion kills a worker after each of its changes, continues with
// one of the previous version, as during a deployment, kills that after each of its own,
// and finishes with this version. In the end there is one complete ticket. It samples the
// pairs of points, or tries all with FAIRBRIDGE_WALK=full.
func TestWalkWithThePreviousVersion(t *testing.T) {
	full := os.Getenv("FAIRBRIDGE_WALK") == "full"
	store := stores[1] // a folder has a single process
	for _, s := range scenarios {
		switch s.name {
		case "a ticket with its screenshot", "retried", "rejected", "parked", "no route":
		default:
			continue
		}
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			for i, point := range s.killPoints(t, store.open(t)) {
				steps := s.beside(t, store.open(t), point, -1)
				for kill := 1; kill <= steps; kill++ {
					if !full && kill != 1+i%steps {
						continue
					}
					t.Run(fmt.Sprintf("%s, then %d", point, kill), func(t *testing.T) {
						s.beside(t, store.open(t), point, kill)
					})
				}
			}
		})
	}
}

// beside returns how many changes the worker of the previous version made.
func (s scenario) beside(t *testing.T, store option, point string, killAfter int) int {
	w := newWorld(t, s.routes, store)
	if s.upset != nil {
		s.upset(w)
	}
	id := w.send(feedback(1))
	first := w.receive(w.work)
	proc := w.start(&plan{at: point, form: diesDone})
	response, err := proc.handler.Handle(t.Context(), eventOf(first))
	w.must(err)
	proc.deleteAllBut(first, response)
	if w.count(w.work) == 0 {
		w.replayAll()
	}
	changes := (&previous{world: w, killAfter: killAfter}).turn()
	w.settle(nil)
	w.checkInvariants(id)
	s.end(w, id)
	return changes
}
