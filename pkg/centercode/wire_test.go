package centercode_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"fairbridge/pkg/centercode"
	centercodesim "fairbridge/pkg/centercode/simulator"
	"fairbridge/pkg/version"
)

// apiKey needs escaping in a URL.
const apiKey = "S3cret+/Key=&x"

func start(t *testing.T, o centercodesim.Config) *centercodesim.Server {
	t.Helper()
	o.APIKeys = []string{apiKey}
	s, err := centercodesim.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// newClient returns a client with its own connections.
func newClient(t *testing.T, baseURL string) *centercode.Client {
	t.Helper()
	transport := centercode.NewTransport()
	t.Cleanup(transport.CloseIdleConnections)
	c, err := centercode.New(centercode.Config{BaseURL: baseURL, HTTP: &http.Client{Transport: transport}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func ticketRequest(body string) centercode.CreateRequest {
	return centercode.CreateRequest{Project: "DEMO", Source: "testfairy", APIKey: apiKey, Body: []byte(body)}
}

// apiError returns err as an *Error after checking that nothing in its chain contains the
// key or a query.
func apiError(t *testing.T, err error) *centercode.Error {
	t.Helper()
	var e *centercode.Error
	if !errors.As(err, &e) {
		t.Fatalf("%v (%T) is not an *Error", err, err)
	}
	for e := err; e != nil; e = errors.Unwrap(e) {
		for _, secret := range []string{apiKey, strings.ToUpper(apiKey), url.QueryEscape(apiKey), url.PathEscape(apiKey), "apiKey=S", "?page"} {
			if strings.Contains(e.Error(), secret) {
				t.Errorf("%T shows %q: %v", e, secret, e)
			}
		}
	}
	return e
}

func TestNew(t *testing.T) {
	for _, good := range []string{
		"https://beta.example.com", "https://beta.example.com/", "https://beta.example.com:8443/tenant/",
		"http://127.0.0.1:8081", "http://[::1]:8081", "http://localhost:8081",
	} {
		if _, err := centercode.New(centercode.Config{BaseURL: good}); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{
		"", "beta.example.com", "http://beta.example.com", "http://10.0.0.1", "ftp://beta.example.com", "https://",
		"https://user:S3cretpass@beta.example.com", "https://beta.example.com?apiKey=S3cretpass",
		"https://beta.example.com#S3cretpass",
		"https://beta.example.com/api/v1", "https://beta.example.com/tenant/API/v1/projects/DEMO/feedback/S3cretpass", "https://S3cretpass:x:y/", "http://localhost.evil.example",
	} {
		_, err := centercode.New(centercode.Config{BaseURL: bad})
		if err == nil {
			t.Errorf("%s was accepted", bad)
		} else if strings.Contains(err.Error(), "S3cretpass") {
			t.Errorf("%s: %v contains a secret", bad, err)
		}
	}
}

func TestCreateTicketAndAddFileInEveryShape(t *testing.T) {
	for _, shape := range centercodesim.Shapes {
		t.Run(string(shape), func(t *testing.T) {
			sim := start(t, centercodesim.Config{Shape: shape, FileElements: []string{"screenshot", "log 1"}})
			c := newClient(t, sim.URL)
			ticket, err := c.CreateTicket(t.Context(), ticketRequest(`{"submitter":"alice@corporation.com","summary":"It crashes"}`))
			if err != nil {
				t.Fatal(err)
			}
			if ticket.ID != "1" || len(ticket.AnswerKeys) == 0 {
				t.Errorf("got %+v", ticket)
			}
			for element, content := range map[string]string{"screenshot": "a picture", "log 1": ""} {
				endpoint := ticket.Files[element]
				if !strings.HasPrefix(endpoint, sim.URL+"/api/v1/projects/DEMO/feedback/1/files/") || strings.Contains(endpoint, "?") {
					t.Fatalf("%s has the endpoint %q", element, endpoint)
				}
				written, err := c.AddFile(t.Context(), centercode.FileRequest{
					Endpoint: endpoint, APIKey: apiKey, Name: "a b.jpg", ContentType: "image/jpeg",
					Size: int64(len(content)), Body: strings.NewReader(content),
				})
				if err != nil || written != int64(len(content)) {
					t.Fatalf("wrote %d bytes: %v", written, err)
				}
			}
			tickets := sim.Tickets()
			if len(tickets) != 1 || tickets[0].Fields["summary"] != "It crashes" || len(tickets[0].Files) != 2 {
				t.Errorf("the simulator holds %+v", tickets)
			}
		})
	}
}

func TestCreateTicketWithoutEndpoints(t *testing.T) {
	for _, shape := range []centercodesim.Shape{centercodesim.ShapeBare, centercodesim.ShapeLocation} {
		sim := start(t, centercodesim.Config{Shape: shape})
		ticket, err := newClient(t, sim.URL).CreateTicket(t.Context(), ticketRequest(`{}`))
		if err != nil || ticket.ID != "1" || len(ticket.Files) != 0 {
			t.Errorf("%s: got %+v, %v", shape, ticket, err)
		}
	}
}

func TestCreateTicketEscapesItsPath(t *testing.T) {
	sim := start(t, centercodesim.Config{})
	r := ticketRequest(`{}`)
	r.Project, r.Source = "A/B C", "x?y#z%"
	ticket, err := newClient(t, sim.URL).CreateTicket(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	if got := sim.Tickets()[0]; got.Project != r.Project || got.Source != r.Source {
		t.Errorf("arrived as %q, %q", got.Project, got.Source)
	}
	if want := sim.URL + "/api/v1/projects/A%2FB%20C/feedback/1/files/screenshot"; ticket.Files["screenshot"] != want {
		t.Errorf("endpoint %q, want %q", ticket.Files["screenshot"], want)
	}
	for _, bad := range []string{"", ".", ".."} {
		r.Project = bad
		_, err := newClient(t, sim.URL).CreateTicket(t.Context(), r)
		if e := apiError(t, err); e.Status != 0 || e.Lost || !e.Permanent() {
			t.Errorf("project %q: %v", bad, e)
		}
	}
}

// TestCreateTicketWithoutAName checks that 201 and 204 mean that there is a ticket,
// whatever the body, and so does JSON with any success.
func TestCreateTicketWithoutAName(t *testing.T) {
	for name, fault := range map[string]centercodesim.Fault{
		"nothing":           {Body: centercodesim.BodyEmpty},
		"nothing under 200": {Status: 200, Body: centercodesim.BodyEmpty},
		"204":               {Status: 204, Body: centercodesim.BodyEmpty},
		"JSON without one":  {Answer: `{"result":"created"}`},
		"a web page":        {Body: centercodesim.BodyHTML},
		"text":              {Status: 201, Answer: "OK"},
		"half an answer":    {Body: centercodesim.BodyTruncated},
		"an endless answer": {Body: centercodesim.BodyEndless},
		"the API key as id": {Answer: `{"key":"S3cret+/Key=&x1"}`},
	} {
		t.Run(name, func(t *testing.T) {
			sim := start(t, centercodesim.Config{})
			fault.After = true
			sim.Inject(fault)
			ticket, err := newClient(t, sim.URL).CreateTicket(t.Context(), ticketRequest(`{}`))
			if err != nil || ticket.ID != "" || len(sim.Tickets()) != 1 {
				t.Errorf("got %+v, %v", ticket, err)
			}
		})
	}
}

// answering returns a server that gives every request the same response.
func answering(t *testing.T, answer http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(answer)
	t.Cleanup(s.Close)
	return s
}

func TestCreateTicketRequest(t *testing.T) {
	var got *http.Request
	var body []byte
	s := answering(t, func(w http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
		fmt.Fprint(w, "\xef\xbb\xbf{\"id\":1} ")
	})
	ticket, err := newClient(t, s.URL+"/tenant/").CreateTicket(t.Context(), ticketRequest(`{"a":1}`))
	if err != nil || ticket.ID != "1" {
		t.Fatalf("got %+v, %v", ticket, err)
	}
	if got.Method != "POST" || got.URL.Path != "/tenant/api/v1/projects/DEMO/feedback/testfairy" ||
		got.URL.Query().Get("apiKey") != apiKey || got.Header.Get("Content-Type") != "application/json" ||
		got.Header.Get("User-Agent") != version.Product() || got.ContentLength != 7 || string(body) != `{"a":1}` {
		t.Errorf("sent %s %s, %v, %q", got.Method, got.URL, got.Header, body)
	}
}
