package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	centercodesim "fairbridge/pkg/centercode/simulator"
	"fairbridge/pkg/home"
	"fairbridge/pkg/ingest"
	"fairbridge/pkg/mapping"
	"fairbridge/pkg/testfairy"
	"fairbridge/pkg/worker"
)

// demoTimeout is long after anything in the demo should have ended.
const demoTimeout = 2 * time.Minute

func newDemo(std streams) *cobra.Command {
	var config, events string
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Send every sample payload through a bridge of its own",
		Long: `Starts a bridge with free ports and a temporary folder in front of the simulator,
sends it every payload, waits until all is settled, and prints what became of
each. The exit code is 1 if anything is not as it must be.`,
		Example: `  fairbridge demo
  fairbridge demo --config my.yaml --events my-payloads/`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			loaded, err := loadConfig(config)
			if err != nil {
				return err
			}
			files, err := filepath.Glob(filepath.Join(events, "*.json"))
			if err != nil || len(files) == 0 {
				return fmt.Errorf("there are no payloads (*.json) in %s", events)
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), demoTimeout)
			defer cancel()
			rows, err := demo(ctx, loaded, files)
			if err != nil {
				return err
			}
			return writeDemo(std.out, rows)
		},
	}
	configFlag(cmd, &config)
	cmd.Flags().StringVar(&events, "events", "events", "folder of the payloads")
	_ = cmd.MarkFlagDirname("events")
	return cmd
}

// demoRow is what became of one payload. Problem says what is not as it must be.
type demoRow struct {
	file, answer, outcome, ticket string
	attachments                   []string
	problem                       string
}

// watcher remembers how each delivery ended.
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

// wait returns how a delivery ended.
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
			return o, fmt.Errorf("delivery %s did not end in time: %w", shortID(deliveryID), ctx.Err())
		}
	}
}

func demo(ctx context.Context, config *mapping.Config, files []string) (rows []demoRow, err error) {
	data, err := os.MkdirTemp("", "fairbridge-demo-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(data)) }()
	simulated := *config
	simulated.Centercode.BaseURL = ""
	watch := &watcher{ended: map[string]worker.Outcome{}, news: make(chan struct{}, 1)}
	b, err := openBridge(ctx, settings{
		config: &simulated, data: data, listen: "127.0.0.1:0", simulator: "127.0.0.1:0", concurrency: 4,
		ingested: silent{}, worked: watch, log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	serving, stop := context.WithCancel(ctx)
	served := make(chan error, 1)
	go func() { served <- b.serve(serving) }()
	defer func() {
		stop()
		err = errors.Join(err, <-served)
	}()

	slices.Sort(files)
	for _, file := range files {
		row, err := b.demoPayload(ctx, config, watch, file)
		if err != nil {
			return nil, err
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// demoPayload sends one payload and holds what came of it against what the
// payload and the route say.
func (b *bridge) demoPayload(ctx context.Context, config *mapping.Config, watch *watcher, file string) (demoRow, error) {
	row := demoRow{file: filepath.Base(file)}
	payload, err := os.ReadFile(file)
	if err != nil {
		return row, err
	}
	status, _, err := home.Send(ctx, b.webhook, payload)
	if err != nil {
		return row, err
	}
	row.answer = fmt.Sprintf("%d %s", status, http.StatusText(status))
	event, err := testfairy.Decode(payload)
	if err != nil {
		row.problem = "not a payload: " + err.Error()
		return row, nil
	}
	if !config.Wants(event.Kind) {
		row.outcome = "ignored"
		if status != http.StatusOK {
			row.problem = "an event that no route wants must be answered 200"
		}
		return row, nil
	}
	if status != http.StatusAccepted {
		row.problem = "not accepted"
		return row, nil
	}
	ended, err := watch.wait(ctx, event.DeliveryID())
	if err != nil {
		return row, err
	}
	row.outcome, row.ticket = string(ended.Result), ended.TicketID
	if ended.Result != worker.Created {
		row.problem = fmt.Sprintf("no ticket: %v", ended.Err)
		return row, nil
	}
	request, err := config.Map(mapping.Input{Event: event, DeliveryID: event.DeliveryID(), ReceivedAt: time.Now()})
	if err != nil {
		return row, err
	}
	row.attachments, row.problem = b.simulator.compare(ended.TicketID, request.Attachments)
	return row, nil
}

// compare holds a ticket's files against their sources.
func (s *simulator) compare(id string, want []mapping.Attachment) (files []string, problem string) {
	tickets := slices.DeleteFunc(s.centercode.Tickets(), func(t centercodesim.Ticket) bool { return t.ID != id })
	if len(tickets) != 1 {
		return nil, fmt.Sprintf("there are %s %s", count(len(tickets), "ticket"), id)
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
		same := "same SHA-256"
		if got[at].SHA256 != s.testfairy.SHA256(source.RequestURI()) {
			same, problem = "another SHA-256", a.Element+" differs from its source"
		}
		files = append(files, fmt.Sprintf("%s %d bytes, %s", a.Element, got[at].Size, same))
		got = slices.Delete(got, at, at+1)
	}
	if len(got) > 0 {
		problem = fmt.Sprintf("%s too many", count(len(got), "file"))
	}
	return files, problem
}

func writeDemo(out io.Writer, rows []demoRow) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "PAYLOAD\tHTTP\tOUTCOME\tTICKET\tATTACHMENTS")
	wrong := 0
	for _, r := range rows {
		attachments := strings.Join(r.attachments, "; ")
		if r.problem != "" {
			wrong++
			attachments = strings.TrimSpace(attachments + " WRONG: " + r.problem)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", r.file, r.answer, dash(r.outcome), dash(r.ticket), dash(attachments))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if wrong > 0 {
		fmt.Fprintf(out, "\n%d of %s not as it must be\n", wrong, count(len(rows), "payload"))
		return errSaid
	}
	fmt.Fprintf(out, "\n%s, all as they must be\n", count(len(rows), "payload"))
	return nil
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// silent is an [ingest.Reporter] for when the answers say enough.
type silent struct{}

// Report implements [ingest.Reporter].
func (silent) Report(context.Context, ingest.Outcome) {}
