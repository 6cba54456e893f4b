package centercode_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"fairbridge/pkg/centercode"
	centercodesim "fairbridge/pkg/centercode/simulator"
)

// TestCreateTicketFaults checks for each fault whether the client reports that there may be
// a ticket, and whether there is one.
func TestCreateTicketFaults(t *testing.T) {
	date := time.Now().Add(2 * time.Minute).UTC().Format(http.TimeFormat)
	tests := []struct {
		name    string
		fault   centercodesim.Fault
		status  int
		lost    bool
		made    int
		text    string
		retryIn time.Duration
	}{
		{"400", centercodesim.Fault{Status: 400}, 400, false, 0, "asked to fail", 0},
		{"404", centercodesim.Fault{Status: 404}, 404, false, 0, "asked to fail", 0},
		{"408", centercodesim.Fault{Status: 408}, 408, false, 0, "", 0},
		{"429 with seconds", centercodesim.Fault{Status: 429, RetryAfter: "7"}, 429, false, 0, "", 7 * time.Second},
		{"503 with a date", centercodesim.Fault{Status: 503, RetryAfter: date}, 503, false, 0, "", 2 * time.Minute},
		{"503 for a day", centercodesim.Fault{Status: 503, RetryAfter: "86400"}, 503, false, 0, "", time.Hour},
		{"411", centercodesim.Fault{Status: 411}, 411, false, 0, "", 0},
		{"500 in its own form", centercodesim.Fault{Status: 500, After: true}, 500, false, 1, "", 0},
		{"500 as a web page", centercodesim.Fault{Status: 500, Body: centercodesim.BodyHTML, After: true}, 500, true, 1, "Service error", 0},
		{"500 with nothing", centercodesim.Fault{Status: 500, Body: centercodesim.BodyEmpty}, 500, true, 0, "", 0},
		{"500 in another's form", centercodesim.Fault{Status: 500, Answer: `{"message":"Internal server error"}`}, 500, true, 0, "Internal server error", 0},
		{"502 as a web page", centercodesim.Fault{Status: 502, Body: centercodesim.BodyHTML}, 502, true, 0, "Service error", 0},
		{"502 in its own form", centercodesim.Fault{Status: 502, After: true}, 502, true, 1, "", 0},
		{"503 with nothing", centercodesim.Fault{Status: 503, Body: centercodesim.BodyEmpty}, 503, false, 0, "", 0},
		{"503 cut off", centercodesim.Fault{Status: 503, Body: centercodesim.BodyTruncated}, 503, false, 0, "", 0},
		{"504", centercodesim.Fault{Status: 504}, 504, true, 0, "", 0},
		{"504 after the ticket", centercodesim.Fault{Status: 504, After: true}, 504, true, 1, "", 0},
		{"599", centercodesim.Fault{Status: 599, After: true}, 599, true, 1, "", 0},
		{"an unknown status", centercodesim.Fault{Status: 418}, 418, true, 0, "", 0},
		{"403 of a firewall", centercodesim.Fault{Status: 403, Body: centercodesim.BodyHTML}, 403, false, 0, "firewall in front of Centercode", 0},
		{"dropped before", centercodesim.Fault{Drop: true}, 0, true, 0, "", 0},
		{"dropped after", centercodesim.Fault{Drop: true, After: true}, 0, true, 1, "", 0},
		{"a web page", centercodesim.Fault{Body: centercodesim.BodyHTML}, 200, true, 0, "not JSON: Service error", 0},
		{"a web page after the ticket", centercodesim.Fault{Status: 200, Body: centercodesim.BodyHTML, After: true}, 200, true, 1, "not JSON", 0},
		{"half an answer", centercodesim.Fault{Status: 200, Body: centercodesim.BodyTruncated, After: true}, 200, true, 1, "unexpected EOF", 0},
		{"an endless answer", centercodesim.Fault{Status: 200, Body: centercodesim.BodyEndless, After: true}, 200, true, 1, "longer than 1048576 bytes", 0},
		{"an endless refusal", centercodesim.Fault{Status: 500, Body: centercodesim.BodyEndless}, 500, true, 0, "cannot be parsed", 0},
		{"a redirect", centercodesim.Fault{Status: 307, Location: "/elsewhere"}, 307, true, 0, "not followed; is the base URL right? Location: /elsewhere", 0},
		{"a redirect after the ticket", centercodesim.Fault{Status: 302, After: true}, 302, true, 1, "", 0},
		{"a ticket and a refusal", centercodesim.Fault{Answer: `{"ticketId":71,"success":false,"message":"too late"}`, After: true}, 200, true, 1, "a ticket (71)", 0},
		{"a file's endpoint and a refusal", centercodesim.Fault{Answer: `{"screenshot":"/api/v1/feedback/7/files/screenshot","ok":false}`, After: true}, 200, true, 1, "file's endpoint", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			sim := start(t, centercodesim.Config{})
			sim.Inject(tt.fault)
			ticket, err := newClient(t, sim.URL).CreateTicket(t.Context(), ticketRequest(`{}`))
			if err == nil {
				t.Fatalf("no error, but %+v", ticket)
			}
			e := apiError(t, err)
			if e.Op != centercode.OpCreateTicket || e.Status != tt.status || e.Lost != tt.lost || e.OwnFault != (tt.name == "500 in its own form") || !strings.Contains(e.Error(), tt.text) {
				t.Errorf("got %+v: %v", *e, e)
			}
			// An HTTP date has a resolution of one second.
			if d := tt.retryIn - e.RetryAfter; d < 0 || d > 2*time.Second {
				t.Errorf("retry in %v, want %v", e.RetryAfter, tt.retryIn)
			}
			if made := len(sim.Tickets()); made != tt.made {
				t.Errorf("%d tickets, want %d", made, tt.made)
			}
			if n := sim.Requests().Create; n != 1 {
				t.Errorf("sent %d times", n)
			}
		})
	}
}

// TestRedirectIsNotFollowed uses an HTTP client that would follow redirects.
func TestRedirectIsNotFollowed(t *testing.T) {
	var elsewhere atomic.Int32
	other := answering(t, func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) })
	s := answering(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL+"/?"+r.URL.RawQuery, http.StatusTemporaryRedirect)
	})
	c, err := centercode.New(centercode.Config{BaseURL: s.URL, HTTP: http.DefaultClient})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.CreateTicket(t.Context(), ticketRequest(`{}`))
	if e := apiError(t, err); e.Status != 307 || !e.Lost || elsewhere.Load() != 0 {
		t.Errorf("got %+v, %d requests elsewhere", *e, elsewhere.Load())
	}
}

// TestEchoedKey checks that however a server echoes the key, no error contains it.
func TestEchoedKey(t *testing.T) {
	for _, echo := range []string{
		apiKey, url.QueryEscape(apiKey), strings.ToUpper(apiKey), "<p>S3cret&#x2b;/\nKey=&amp;x", `{"message":"S3cret+\\/Key=&x"}`, strings.ToLower(url.QueryEscape("&/")) + apiKey,
		`{"description":"bad key ` + apiKey + `"}`, "<p>S3cret+/Key=&amp;x</p>", strings.Repeat("x", 990) + apiKey,
		strings.Repeat("<p>", 64<<10/3-2) + apiKey,
	} {
		for _, status := range []int{200, 302, 400, 500} {
			s := answering(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Location", "/x?"+r.URL.RawQuery+"#"+url.QueryEscape(apiKey))
				w.WriteHeader(status)
				fmt.Fprint(w, echo)
			})
			_, err := newClient(t, s.URL).CreateTicket(t.Context(), ticketRequest(`{}`))
			if err == nil && strings.HasPrefix(echo, "{") {
				continue // a ticket
			}
			if e := apiError(t, err); strings.Contains(strings.ToUpper(e.Description), "S3CRET") {
				t.Errorf("%d, %.40q: %s", status, echo, e.Description)
			}
		}
	}
}

func TestCreateTicketNotSent(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close() // so that nothing listens there
	_, err = newClient(t, "http://"+l.Addr().String()).CreateTicket(t.Context(), ticketRequest(`{}`))
	if e := apiError(t, err); e.Status != 0 || e.Lost {
		t.Errorf("refused connection: got %+v", *e)
	}

	plain := answering(t, func(http.ResponseWriter, *http.Request) {})
	_, err = newClient(t, strings.Replace(plain.URL, "http:", "https:", 1)).CreateTicket(t.Context(), ticketRequest(`{}`))
	if e := apiError(t, err); e.Status != 0 || e.Lost {
		t.Errorf("failed handshake: got %+v", *e)
	}

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = newClient(t, plain.URL).CreateTicket(ctx, ticketRequest(`{}`))
	if e := apiError(t, err); e.Lost || !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled before: got %+v", *e)
	}
}

func TestCreateTicketCancelledWhileWaiting(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	release := make(chan struct{})
	s := answering(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		cancel()
		<-release
	})
	defer close(release)
	_, err := newClient(t, s.URL).CreateTicket(ctx, ticketRequest(`{}`))
	if e := apiError(t, err); !e.Lost || !errors.Is(err, context.Canceled) {
		t.Errorf("got %+v", *e)
	}
}

// TestStaleConnection checks that when the server has closed an idle connection, so that it
// cannot have received the ticket, the ticket is sent on a new one.
func TestStaleConnection(t *testing.T) {
	sim := start(t, centercodesim.Config{})
	c := newClient(t, sim.URL)
	for range 3 {
		sim.Inject(centercodesim.Fault{Op: centercodesim.OpPackage, Drop: true})
		if _, err := c.CreateTicket(t.Context(), ticketRequest(`{}`)); err != nil {
			t.Fatal(err)
		}
		// The drop ends the connection that the ticket used.
		_, _, err := c.FindTicket(t.Context(), centercode.Lookup{
			Project: "DEMO", Package: "p", Column: "a", TicketColumn: "b", APIKey: apiKey})
		if e := apiError(t, err); e.Lost {
			t.Errorf("a look-up has nothing to lose: %+v", *e)
		}
	}
	if n := len(sim.Tickets()); n != 3 {
		t.Errorf("%d tickets", n)
	}
}
