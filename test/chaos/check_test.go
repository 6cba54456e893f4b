package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"fairbridge/pkg/deadletter"
	"fairbridge/pkg/ledger"
	"fairbridge/pkg/queue"
)

// judged is a run whose bridge is played by the test.
type judged struct {
	*world
	t *testing.T
}

// openWorld opens a world in which only the test acts.
func openWorld(t *testing.T, s settings, binary string) *world {
	t.Helper()
	w := &world{plan: planOf(t, s), progress: io.Discard}
	w.plan.events = nil
	w.report = newReport(w.plan.settings)
	if err := w.open(t.Context(), binary, t.TempDir(), io.Discard); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		w.far.close()
		w.home.Close()
	})
	return w
}

func newJudged(t *testing.T) *judged {
	t.Helper()
	j := &judged{openWorld(t, settings{Seed: 1, Deliveries: 10}, ""), t}
	w := j.world
	for _, d := range w.plan.deliveries {
		j.deliver(d)
	}
	return j
}

// deliver does what the bridge should do with a delivery.
func (j *judged) deliver(d delivery) {
	j.t.Helper()
	c := j.claim(d)
	ticket := j.ticket(d)
	j.must(c.Creating(j.t.Context(), ledger.Where{}))
	j.must(c.Created(j.t.Context(), ticket, nil, nil))
	for _, element := range elements {
		if d.sources[element] != "" {
			j.file(ticket, element, d.sources[element])
			j.must(c.Attached(j.t.Context(), element, ledger.Attachment{}))
		}
	}
	j.must(c.Completed(j.t.Context()))
}

func (j *judged) must(err error) {
	j.t.Helper()
	if err != nil {
		j.t.Fatal(err)
	}
}

func (j *judged) claim(d delivery) *ledger.Claim {
	j.t.Helper()
	c, err := j.checker.ledger.Claim(j.t.Context(), d.id, ledger.Message{})
	j.must(err)
	return c
}

// ticket makes a ticket and returns its id.
func (j *judged) ticket(d delivery) string {
	j.t.Helper()
	j.post("/api/v1/projects/DEMO/feedback/testfairy", "application/json",
		fmt.Sprintf(`{"summary":%q,"deliveryId":%q}`, d.text, d.id))
	tickets := j.far.center.Tickets()
	return tickets[len(tickets)-1].ID
}

func (j *judged) file(ticket, element, path string) {
	j.t.Helper()
	resp, err := http.DefaultTransport.RoundTrip(j.request(http.MethodGet, j.far.sourceURL+path, "", ""))
	j.must(err)
	defer resp.Body.Close()
	content, err := io.ReadAll(resp.Body)
	j.must(err)
	j.post("/api/v1/projects/DEMO/feedback/"+ticket+"/files/"+element, `multipart/form-data; boundary=b`,
		"--b\r\nContent-Disposition: form-data; name=file; filename=f\r\n\r\n"+string(content)+"\r\n--b--\r\n")
}

func (j *judged) post(path, contentType, body string) {
	j.t.Helper()
	resp, err := http.DefaultTransport.RoundTrip(j.request(http.MethodPost, j.far.centerURL+path+"?apiKey="+firstKey, contentType, body))
	j.must(err)
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusCreated {
		j.t.Fatalf("%s: %s", path, resp.Status)
	}
}

func (j *judged) request(method, url, contentType, body string) *http.Request {
	j.t.Helper()
	req, err := http.NewRequestWithContext(context.WithoutCancel(j.t.Context()), method, url, strings.NewReader(body))
	j.must(err)
	req.Header.Set("Content-Type", contentType)
	return req
}

// TestBrokenPromisesAreSeen breaks the promise in every possible way. A check that never
// fails would prove nothing.
func TestBrokenPromisesAreSeen(t *testing.T) {
	t.Parallel()
	extra := func(text string) delivery {
		return delivery{id: strings.Repeat(text, 64), text: text, sources: map[string]string{}}
	}
	for _, tc := range []struct {
		name        string
		spoil       func(*judged) []deadletter.Case
		says        string
		lost, twice int
	}{
		{"nothing is broken", func(*judged) []deadletter.Case { return nil }, "", 0, 0},
		{"a ticket twice", func(j *judged) []deadletter.Case {
			j.ticket(j.plan.deliveries[4])
			return nil
		}, "has 2 tickets", 0, 1},
		{"a file twice", func(j *judged) []deadletter.Case {
			j.file("1", "screenshot", j.plan.deliveries[0].sources["screenshot"])
			return nil
		}, "screenshot twice", 0, 1},
		{"another file", func(j *judged) []deadletter.Case {
			j.file("2", "log", "/generated/5.bin")
			return nil
		}, "log is not the source's", 1, 0},
		{"lost without a trace", func(j *judged) []deadletter.Case {
			j.plan.deliveries = append(j.plan.deliveries, extra("a"))
			return nil
		}, "is lost: 0 tickets", 1, 0},
		{"not all of its files", func(j *judged) []deadletter.Case {
			d := extra("a")
			d.sources["log"] = "/generated/7.bin"
			j.plan.deliveries = append(j.plan.deliveries, d)
			c := j.claim(d)
			j.ticket(d)
			j.must(c.Completed(j.t.Context()))
			return nil
		}, "is lost: 1 tickets", 1, 0},
		{"a lease left", func(j *judged) []deadletter.Case {
			d := extra("a")
			j.plan.deliveries = append(j.plan.deliveries, d)
			j.claim(d)
			return []deadletter.Case{{Letter: deadletter.Letter{DeadLetter: queue.DeadLetter{
				DeliveryID: d.id, Reason: queue.ReasonRejected, Stage: "create", Description: "no"}}}}
		}, "a lease is left", 0, 0},
		{"a letter that does not say why", func(j *judged) []deadletter.Case {
			return []deadletter.Case{{Letter: deadletter.Letter{DeadLetter: queue.DeadLetter{
				DeliveryID: j.plan.deliveries[0].id, Reason: queue.ReasonRejected}}}}
		}, "does not say why", 0, 0},
		{"receives that nobody can explain", func(j *judged) []deadletter.Case {
			return []deadletter.Case{{Letter: deadletter.Letter{DeadLetter: queue.DeadLetter{
				DeliveryID: j.plan.deliveries[0].id, Reason: queue.ReasonWorkerDied}}}}
		}, "nobody knows why", 0, 0},
		{"a key in a letter", func(j *judged) []deadletter.Case {
			return []deadletter.Case{{Letter: deadletter.Letter{DeadLetter: queue.DeadLetter{
				DeliveryID: j.plan.deliveries[0].id, Reason: queue.ReasonRejected, Stage: "create", Description: firstKey}}}}
		}, "shows the API key", 0, 0},
		{"a ticket of nobody", func(j *judged) []deadletter.Case {
			j.ticket(extra("b"))
			return nil
		}, "nobody sent", 0, 0},
		{"an entry of nobody", func(j *judged) []deadletter.Case {
			j.claim(extra("b"))
			return nil
		}, "11 entries for 10 deliveries", 0, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			j := newJudged(t)
			cases := tc.spoil(j)
			j.must(j.checker.check(t.Context(), cases))
			records, err := j.home.Ledger.Recent(t.Context(), -1)
			j.must(err)
			j.checker.count(records)
			all := strings.Join(j.report.Violations, "\n")
			if tc.says == "" && !j.report.kept() || !strings.Contains(all, tc.says) {
				t.Errorf("want %q; the violations are %q", tc.says, all)
			}
			if j.report.Lost != tc.lost || j.report.Twice != tc.twice {
				t.Errorf("lost %d, twice %d; want %d, %d: %s", j.report.Lost, j.report.Twice, tc.lost, tc.twice, all)
			}
		})
	}
}
