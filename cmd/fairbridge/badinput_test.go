package main

import (
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"fairbridge/pkg/ingest"
	"fairbridge/pkg/testfairy"
)

// TestBadInput checks the response to each kind of bad input, with the real listener,
// queue, worker and simulator.
func TestBadInput(t *testing.T) {
	f, data := newFarEnd(t, ""), t.TempDir()
	p := startBridge(t, f, data)
	hook, err := url.Parse(p.webhook)
	if err != nil {
		t.Fatal(err)
	}
	with := func(edit func(*url.URL)) string {
		u := *hook
		edit(&u)
		return u.String()
	}
	good := payload(1)
	for _, tc := range []struct {
		name, method, url, body string
		status                  int
		texts                   []string
	}{
		{"no token", "POST", with(func(u *url.URL) { u.RawQuery = "" }), good, 401, nil},
		{"wrong token", "POST", with(func(u *url.URL) { u.RawQuery = "token=guess-me-if-you-can" }), good, 401, nil},
		{"not JSON", "POST", p.webhook, "hello", 400, []string{"JSON"}},
		{"an array", "POST", p.webhook, "[1]", 400, []string{"object"}},
		{"nested too deep", "POST", p.webhook, `{"event":"feedback","a":` + strings.Repeat("[", 100), 400, []string{"100 levels"}},
		{"too large", "POST", p.webhook, `{"event":"feedback","text":"` + strings.Repeat("x", 1_000_000) + `"}`, 413, nil},
		{"GET", "GET", p.webhook, "", 405, nil},
		{"another path", "POST", with(func(u *url.URL) { u.Path = "/webhooks/other" }), good, 404, nil},
		{"a kind that no route wants", "POST", p.webhook, `{"event":"upload"}`, 200, []string{"ignored"}},
		{"no event", "POST", p.webhook, `{"text":"a"}`, 200, []string{"ignored"}},
		{"an unknown kind", "POST", p.webhook, `{"event":"new-udid"}`, 200, []string{"ignored"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), tc.method, tc.url, strings.NewReader(tc.body))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "application/json")
			resp, err := http.DefaultTransport.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			if resp.StatusCode != tc.status {
				t.Errorf("HTTP %d, want %d: %s", resp.StatusCode, tc.status, body)
			}
			for _, s := range tc.texts {
				if !strings.Contains(string(body), s) {
					t.Errorf("the response lacks %q: %s", s, body)
				}
			}
			if tc.status >= 400 && resp.Header.Get("Content-Type") != "application/problem+json" {
				t.Errorf("content type %s", resp.Header.Get("Content-Type"))
			}
			if tc.status == 405 && resp.Header.Get("Allow") != "POST" {
				t.Errorf("Allow: %s", resp.Header.Get("Allow"))
			}
		})
	}
	p.interrupt()
	refused, err := openState(t, data).home.Refusals.Refused(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	counts := map[ingest.Reason]int{}
	for _, c := range refused.Counts {
		counts[c.Reason] = c.Count
	}
	if want := (map[ingest.Reason]int{
		ingest.ReasonNoToken: 1, ingest.ReasonWrongToken: 1, ingest.ReasonNotJSON: 2, ingest.ReasonTooDeep: 1,
		ingest.ReasonTooLarge: 1, ingest.ReasonMethod: 1, ingest.ReasonUnknownPath: 1,
	}); !maps.Equal(counts, want) || len(refused.Last) != 8 {
		t.Errorf("refused %v, want %v; last %+v", counts, want, refused.Last)
	}
	if n := len(f.center.Tickets()); n != 0 {
		t.Errorf("bad input created %d tickets", n)
	}
	for _, secret := range []string{"guess-me-if-you-can", centercodeKey} {
		if strings.Contains(p.out.String(), secret) {
			t.Errorf("the output contains %q:\n%s", secret, p.out)
		}
	}
}

// TestOddTextArrives checks that any text a tester may type arrives in the ticket.
func TestOddTextArrives(t *testing.T) {
	f, data := newFarEnd(t, ""), t.TempDir()
	p := startBridge(t, f, data)
	body := "{\"event\":\"feedback\",\"text\":\"nul \\u0000 raw \x01\x1f\t broken \xff\xc3( end \xef\xbf\xbe \\uffff \U0001F9D1\u200d\U0001F680\"}"
	event, err := testfairy.Decode([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	id, ok := deliver(t.Context(), p.webhook, body)
	if !ok || id != event.DeliveryID() {
		t.Fatalf("not accepted, or as %s, not %s:\n%s", id, event.DeliveryID(), p.out)
	}
	openState(t, data).settled()
	tickets := f.center.Tickets()
	want := "nul \x00 raw \x01\x1f\t broken \uFFFD\uFFFD( end \uFFFE \uFFFF \U0001F9D1\u200d\U0001F680"
	if len(tickets) != 1 || tickets[0].Fields["summary"] != want {
		t.Errorf("tickets %+v, want %q", tickets, want)
	}
}

// TestSamePayloadAtOnce sends the same webhook 100 times: 100 times 202, one ticket.
func TestSamePayloadAtOnce(t *testing.T) {
	f, data := newFarEnd(t, ""), t.TempDir()
	p := startBridge(t, f, data)
	var senders sync.WaitGroup
	for range 100 {
		senders.Go(func() {
			if _, ok := deliver(t.Context(), p.webhook, payload(1)); !ok {
				t.Error("not accepted")
			}
		})
	}
	senders.Wait()
	s := openState(t, data)
	s.settled()
	if n := len(f.center.Tickets()); n != 1 {
		t.Errorf("%d tickets", n)
	}
	if letters := s.letters(); len(letters) != 0 {
		t.Errorf("dead letters %+v", letters)
	}
}
