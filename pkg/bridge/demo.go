package bridge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	centercodesim "fairbridge/pkg/centercode/simulator"
	"fairbridge/pkg/home"
	"fairbridge/pkg/ingest"
	"fairbridge/pkg/mapping"
	"fairbridge/pkg/terminal"
	"fairbridge/pkg/testfairy"
	"fairbridge/pkg/worker"
)

// demoConcurrency is enough for payloads that are sent one after the other.
const demoConcurrency = 4

// DemoResult is the result of one payload.
type DemoResult struct {
	// File is the payload's file name, without its folder.
	File string
	// Status is the status of the webhook's answer.
	Status int
	// Outcome is the worker's, "ignored" if the payload did not reach it, "" if it was not
	// accepted.
	Outcome     worker.Result
	TicketID    string
	Attachments []DemoFile
	// Problem is what is not as expected, "" if nothing is.
	Problem string
}

// DemoFile is a ticket's file, compared with its source.
type DemoFile struct {
	Element string
	Bytes   int64
	// Same means that the file and its source have the same SHA-256.
	Same bool
}

// watcher records how each delivery ended.
type watcher struct {
	mu    sync.Mutex
	ended map[string]worker.Outcome
	news  chan struct{}
}

// Report implements [worker.Reporter].
func (w *watcher) Report(_ context.Context, o worker.Outcome) {
	switch o.Result {
	case worker.Created, worker.Ignored, worker.Dead:
	default:
		return
	}
	w.mu.Lock()
	w.ended[o.DeliveryID] = o
	w.mu.Unlock()
	select {
	case w.news <- struct{}{}:
	default:
	}
}

func (w *watcher) wait(ctx context.Context, deliveryID string) (worker.Outcome, error) {
	for {
		w.mu.Lock()
		o, ok := w.ended[deliveryID]
		w.mu.Unlock()
		if ok {
			return o, nil
		}
		select {
		case <-w.news:
		case <-ctx.Done():
			return o, fmt.Errorf("delivery %s did not end in time: %w", deliveryID[:12], ctx.Err())
		}
	}
}

// Demo sends each payload through its own bridge, in a temporary folder and in front of the
// simulator, and compares the result with what the payload and the mapping say. The results
// are sorted by file name.
func Demo(ctx context.Context, config *mapping.Config, files []string) (results []DemoResult, err error) {
	folder, err := os.MkdirTemp("", "fairbridge-demo-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	simulated := *config
	simulated.Centercode.BaseURL = ""
	watch := &watcher{ended: map[string]worker.Outcome{}, news: make(chan struct{}, 1)}
	b, err := Open(ctx, Config{
		Mapping: &simulated, Folder: folder, Listen: "127.0.0.1:0", Simulator: "127.0.0.1:0", Concurrency: demoConcurrency,
		Ingested: silent{}, Worked: watch, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	serving, stop := context.WithCancel(ctx)
	served := make(chan error, 1)
	go func() { served <- b.Serve(serving) }()
	defer func() {
		stop()
		err = errors.Join(err, <-served)
	}()

	for _, file := range slices.Sorted(slices.Values(files)) {
		result, err := b.demoPayload(ctx, config, watch, file)
		if err != nil {
			return nil, err
		}
		results = append(results, result)
	}
	return results, nil
}

// demoPayload sends one payload and compares the result with what the payload and the route
// say.
func (b *Bridge) demoPayload(ctx context.Context, config *mapping.Config, watch *watcher, file string) (DemoResult, error) {
	result := DemoResult{File: filepath.Base(file)}
	payload, err := os.ReadFile(file)
	if err != nil {
		return result, err
	}
	status, _, err := home.Send(ctx, b.webhook, payload)
	if err != nil {
		return result, err
	}
	result.Status = status
	event, err := testfairy.Decode(payload)
	if err != nil {
		result.Problem = "not a payload: " + err.Error()
		return result, nil
	}
	if !config.Wants(event.Kind) {
		result.Outcome = worker.Ignored
		if status != http.StatusOK {
			result.Problem = "an event that no route wants must be answered 200"
		}
		return result, nil
	}
	if status != http.StatusAccepted {
		result.Problem = "not accepted"
		return result, nil
	}
	ended, err := watch.wait(ctx, event.DeliveryID())
	if err != nil {
		return result, err
	}
	result.Outcome, result.TicketID = ended.Result, ended.TicketID
	if ended.Result != worker.Created {
		result.Problem = fmt.Sprintf("no ticket: %v", ended.Err)
		return result, nil
	}
	request, err := config.Map(mapping.Input{Event: event, DeliveryID: event.DeliveryID(), ReceivedAt: time.Now()})
	if err != nil {
		return result, err
	}
	result.Attachments, result.Problem = b.simulator.compare(ended.TicketID, request.Attachments)
	return result, nil
}

func (s *simulator) compare(id string, want []mapping.Attachment) (files []DemoFile, problem string) {
	tickets := slices.DeleteFunc(s.centercode.Tickets(), func(t centercodesim.Ticket) bool { return t.ID != id })
	if len(tickets) != 1 {
		return nil, fmt.Sprintf("there are %s %s", terminal.Count(len(tickets), "ticket"), id)
	}
	got := tickets[0].Files
	for _, a := range want {
		if a.URL == "" {
			continue
		}
		source, err := url.Parse(a.URL)
		if err != nil {
			return files, err.Error()
		}
		at := slices.IndexFunc(got, func(f centercodesim.File) bool { return f.Element == a.Element })
		if at < 0 {
			return files, "no file " + a.Element
		}
		same := got[at].SHA256 == s.testfairy.SHA256(source.RequestURI())
		if !same {
			problem = a.Element + " differs from its source"
		}
		files = append(files, DemoFile{Element: a.Element, Bytes: got[at].Size, Same: same})
		got = slices.Delete(got, at, at+1)
	}
	if len(got) > 0 {
		problem = fmt.Sprintf("%s too many", terminal.Count(len(got), "file"))
	}
	return files, problem
}

// silent is an [ingest.Reporter] that does nothing.
type silent struct{}

// Report implements [ingest.Reporter].
func (silent) Report(context.Context, ingest.Outcome) {}
