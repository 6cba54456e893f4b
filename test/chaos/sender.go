package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	senders = 8
	// sendAgain is the pause after a webhook that was not accepted, unless another bridge
	// is ready earlier.
	sendAgain = 200 * time.Millisecond
)

// sender plays TestFairy. Unlike TestFairy it repeats a webhook that was not accepted, so
// that each delivery is promised in the end.
type sender struct {
	bridge *bridge
	plan   *plan
	client *http.Client

	mu       sync.Mutex
	accepted int // answered 202
	refused  int // not answered, or not 202
}

// send sends the deliveries with these numbers, several at a time.
func (s *sender) send(ctx context.Context, numbers []int) error {
	lanes, sending := errgroup.WithContext(ctx)
	lanes.SetLimit(senders)
	for _, n := range numbers {
		lanes.Go(func() error { return s.one(sending, s.plan.deliveries[n]) })
	}
	return lanes.Wait()
}

// one sends a delivery until it is accepted.
func (s *sender) one(ctx context.Context, d delivery) error {
	for {
		webhook, err := s.bridge.ready(ctx, "")
		if err != nil {
			return err
		}
		status, answer, err := s.post(ctx, webhook, d.payload)
		s.mu.Lock()
		if accepted := err == nil && status == http.StatusAccepted; accepted {
			s.accepted++
		} else {
			s.refused++
		}
		s.mu.Unlock()
		switch {
		case err == nil && status == http.StatusAccepted:
			var body struct{ DeliveryID string }
			if json.Unmarshal(answer, &body) != nil || body.DeliveryID != d.id {
				return fmt.Errorf("delivery %s was accepted as %s", d.id, answer)
			}
			return nil
		case err == nil && status < 500:
			return fmt.Errorf("delivery %s was answered %d: %s", d.id, status, answer)
		}
		pause, cancel := context.WithTimeout(ctx, sendAgain)
		_, _ = s.bridge.ready(pause, webhook) // in either case it is sent again
		cancel()
	}
}

// soFar returns how many webhooks were accepted, and how many were not.
func (s *sender) soFar() (accepted, refused int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.accepted, s.refused
}

func (s *sender) post(ctx context.Context, webhook string, payload []byte) (int, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, webhook, bytes.NewReader(payload))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := s.client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	return resp.StatusCode, answer, err
}
