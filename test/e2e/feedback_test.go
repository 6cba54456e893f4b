//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"fairbridge/pkg/mapping"
	"fairbridge/pkg/testfairy"
)

// TestSamples: each payload of events/ becomes its ticket, with the fields of the mapping
// file and the exact bytes of its screenshot, or is ignored if no route matches it.
func TestSamples(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(bridge.root, "events", "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatal("no payloads", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			payload := bridge.payload(t, filepath.Base(file))
			event, err := testfairy.Decode(payload)
			if err != nil {
				t.Fatal(err)
			}
			// As TestFairy sends it, except for the content type: API Gateway passes text
			// with broken UTF-8 replaced, unless the type is binary.
			got, err := bridge.request(t.Context(), http.MethodPost, bridge.webhook(t), "application/octet-stream", payload)
			if err != nil {
				t.Fatal(err)
			}
			if !bridge.config.Wants(event.Kind) {
				if want := `{"status":"ignored"}`; got.status != http.StatusOK || string(got.body) != want {
					t.Errorf("answered %d %s, want 200 %s", got.status, got.body, want)
				}
				return
			}
			if got.status != http.StatusAccepted {
				t.Fatalf("answered %d %s", got.status, got.body)
			}
			bridge.checkTicket(t, event)
		})
	}
}

// checkTicket waits for the ticket of an event, and compares it with the request that the
// mapping file makes.
func (w *world) checkTicket(t *testing.T, event testfairy.Event) {
	t.Helper()
	ticket := w.ticket(t, event.DeliveryID())
	want, err := w.config.Map(mapping.Input{Event: event, DeliveryID: event.DeliveryID(), ReceivedAt: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	if ticket.Project != want.Project || ticket.Source != want.Source {
		t.Errorf("the ticket is in %s/%s, want %s/%s", ticket.Project, ticket.Source, want.Project, want.Source)
	}
	if got, want := canonical(t, ticket.Body), canonical(t, want.Body); got != want {
		t.Errorf("the ticket has\n%s\nwant\n%s", got, want)
	}
	files := map[string]string{}
	for _, file := range ticket.Files {
		files[file.Element] = file.SHA256
	}
	for _, attachment := range want.Attachments {
		if attachment.URL == "" {
			continue
		}
		source, err := url.Parse(attachment.URL)
		if err != nil {
			t.Fatal(err)
		}
		if sum := w.testfairy.SHA256(source.Path); sum == "" || files[attachment.Element] != sum {
			t.Errorf("%s has SHA-256 %q, its source %q", attachment.Element, files[attachment.Element], sum)
		}
		delete(files, attachment.Element)
	}
	if len(files) > 0 {
		t.Errorf("files of no attachment: %v", files)
	}
}

// TestHundredTimes: the same webhook a hundred times makes one ticket.
func TestHundredTimes(t *testing.T) {
	payload := bridge.feedback(t, nil)
	webhook := bridge.webhook(t)
	var all errgroup.Group
	// Each concurrent request is a process of the function.
	all.SetLimit(25)
	for range 100 {
		all.Go(func() error {
			got, err := bridge.request(t.Context(), http.MethodPost, webhook, "application/json", payload)
			if err == nil && got.status != http.StatusAccepted {
				err = fmt.Errorf("answered %d %s", got.status, got.body)
			}
			return err
		})
	}
	if err := all.Wait(); err != nil {
		t.Fatal(err)
	}
	event, err := testfairy.Decode(payload)
	if err != nil {
		t.Fatal(err)
	}
	bridge.checkTicket(t, event)
	bridge.waitIdle(t)
	if n := len(bridge.tickets(event.DeliveryID())); n != 1 {
		t.Errorf("%d tickets", n)
	}
	if n := bridge.depth(t, bridge.stack.DeadLetterQueueURL); n != 0 {
		t.Errorf("%d dead letters", n)
	}
}
