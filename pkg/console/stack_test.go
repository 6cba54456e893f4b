package console_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"fairbridge/pkg/console"
	"fairbridge/pkg/home"
	"fairbridge/pkg/ledger"
)

// slowTable finds another delivery every few milliseconds until the test has seen an
// earlier one.
type slowTable struct {
	home.History
	begun, seen chan struct{}
}

func (s slowTable) Search(ctx context.Context, _ ledger.Query, visit func(ledger.Entry) bool) error {
	select {
	case <-s.begun:
	case <-ctx.Done():
		return ctx.Err()
	}
	for n := 1; ; n++ {
		if !visit(ledger.Entry{DeliveryID: fmt.Sprintf("%064x", n), State: ledger.Completed}) {
			return errors.New("all rows were found before one was seen")
		}
		select {
		case <-s.seen:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// figures is a CloudWatch with one value for each metric, in the last hour; without any it
// denies access.
type figures map[string]float64

func (f figures) GetMetricData(_ context.Context, in *cloudwatch.GetMetricDataInput, _ ...func(*cloudwatch.Options)) (*cloudwatch.GetMetricDataOutput, error) {
	if len(f) == 0 {
		return nil, errors.New("AccessDenied: not yours to see")
	}
	out := &cloudwatch.GetMetricDataOutput{}
	for _, q := range in.MetricDataQueries {
		if value, known := f[aws.ToString(q.MetricStat.Metric.MetricName)]; known {
			out.MetricDataResults = append(out.MetricDataResults, types.MetricDataResult{Id: q.Id, Values: []float64{value}, Timestamps: []time.Time{in.EndTime.Add(-time.Minute)}})
		}
	}
	return out, nil
}

// newStack returns a console that takes its home for a stack's. It reads a folder, except
// for the parts that the test replaces.
func newStack(t *testing.T, replace func(*home.Home)) *world {
	t.Helper()
	t.Parallel()
	h, err := home.Open(t.Context(), home.Config{Place: home.Place{Folder: t.TempDir()}, Create: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	h.Stack = "bridge"
	replace(h)
	w := &world{t: t, home: h, client: browser(t)}
	if w.console, err = console.Listen(t.Context(), "127.0.0.1:0", console.Config{Home: h}); err != nil {
		t.Fatal(err)
	}
	serve(t, w.console)
	w.page(strings.TrimPrefix(w.console.Link(), w.console.URL()))
	return w
}

// TestAStacksListFillsAsItIsRead checks that the page of a stack's deliveries is sent
// before the first one is found, and shows each while the search continues.
func TestAStacksListFillsAsItIsRead(t *testing.T) {
	table := slowTable{begun: make(chan struct{}), seen: make(chan struct{})}
	w := newStack(t, func(h *home.Home) { table.History, h.History = h.History, table })
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.console.URL()+"/deliveries", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := w.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	read := ""
	until := func(text string) {
		t.Helper()
		for part := make([]byte, 4096); !strings.Contains(read, text); {
			n, err := resp.Body.Read(part)
			if read += string(part[:n]); err != nil && !strings.Contains(read, text) {
				t.Fatalf("the page ends (%v) without %q:\n%s", err, text, read)
			}
		}
	}
	until("<h1>Deliveries</h1>")
	close(table.begun)
	until(fmt.Sprintf("%064x", 1))
	close(table.seen)
	until("</html>")
	if strings.Contains(read, "could not be read") {
		t.Errorf("got\n%s", read)
	}
}

func TestAStacksCharts(t *testing.T) {
	w := newStack(t, func(h *home.Home) {
		h.Metrics = figures{"Received": 4711, "Ignored": 11, "TicketsCreated": 4690, "DeadLetters": 2, "WebhookToTicket": 1500}
	})
	for _, path := range []string{"/", "/?span=7d"} {
		body := w.until(path, has("<b>Received</b><span>4,700</span>", "<b>Tickets</b><span>4,690</span>", "<b>Dead letters</b><span>2</span>", `aria-label="Time to ticket: at most 1.5s"`))
		if strings.Contains(body, "By app") {
			t.Errorf("%s has apps:\n%s", path, body)
		}
	}
}

func TestAStacksChartsAreRefused(t *testing.T) {
	w := newStack(t, func(h *home.Home) { h.Metrics = figures{} })
	w.until("/", has("not yours to see"))
}
