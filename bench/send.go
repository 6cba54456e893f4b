package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
)

// clients is how many webhooks are on their way at once.
const clients = 16

// feedbacks are n payloads without a screenshot, each of a text that there never
// was before.
func (l *lab) feedbacks(tb testing.TB, n int) [][]byte {
	const place = "THE TEXT"
	payload := l.feedback(tb, place, "")
	payloads := make([][]byte, n)
	for i := range payloads {
		payloads[i] = bytes.Replace(payload, []byte(place), []byte("Feedback "+rand.Text()), 1)
	}
	return payloads
}

// send posts the payloads to a webhook and returns how long it took until all
// were accepted.
func send(tb testing.TB, webhook string, payloads [][]byte) time.Duration {
	transport := &http.Transport{MaxIdleConnsPerHost: clients}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	var group errgroup.Group
	group.SetLimit(clients)
	began := time.Now()
	for _, payload := range payloads {
		group.Go(func() error { return post(tb.Context(), client, webhook, payload) })
	}
	err := group.Wait()
	took := time.Since(began)
	if err != nil {
		tb.Fatal(err)
	}
	return took
}

func post(ctx context.Context, client *http.Client, url string, payload []byte) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(payload))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxRequest))
	if err == nil && response.StatusCode != http.StatusAccepted {
		err = fmt.Errorf("the webhook answered %s: %s", response.Status, answer)
	}
	return err
}
