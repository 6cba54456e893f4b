package main

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
)

// clients is the number of concurrent webhooks.
const clients = 16

// feedbacks returns n payloads without a screenshot, each with a text that no other run has
// used.
func (l *lab) feedbacks(tb testing.TB, n int) [][]byte {
	const place = "THE TEXT"
	payload := l.feedback(tb, place, "")
	payloads := make([][]byte, n)
	for i := range payloads {
		payloads[i] = bytes.Replace(payload, []byte(place), []byte("Feedback "+rand.Text()), 1)
	}
	return payloads
}

// send posts the payloads to a webhook, n at once, and returns how long it took until all
// were accepted. Each client keeps one connection and does as little as it can, since it
// shares the processors with what is measured.
func send(tb testing.TB, webhook string, n int, payloads [][]byte) time.Duration {
	target, err := url.Parse(webhook)
	if err != nil {
		tb.Fatal(err)
	}
	var group errgroup.Group
	var next atomic.Int64
	began := time.Now()
	for range n {
		group.Go(func() error {
			conn, err := (&net.Dialer{}).DialContext(tb.Context(), "tcp", target.Host)
			if err != nil {
				return err
			}
			defer conn.Close()
			answers := bufio.NewReader(conn)
			for i := next.Add(1); i <= int64(len(payloads)); i = next.Add(1) {
				if err := post(conn, answers, target, payloads[i-1]); err != nil {
					return err
				}
			}
			return nil
		})
	}
	err = group.Wait()
	took := time.Since(began)
	if err != nil {
		tb.Fatal(err)
	}
	return took
}

func post(conn io.Writer, answers *bufio.Reader, target *url.URL, payload []byte) error {
	request := fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		target.RequestURI(), target.Host, len(payload), payload)
	if _, err := conn.Write(request); err != nil {
		return err
	}
	response, err := http.ReadResponse(answers, nil)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusAccepted {
		err = fmt.Errorf("the webhook answered %s: %s", response.Status, answer)
	}
	return err
}
