package centercode_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"fairbridge/pkg/centercode"
	centercodesim "fairbridge/pkg/centercode/simulator"
)

func lookup(value string) centercode.Lookup {
	return centercode.Lookup{
		Project: "DEMO", Package: "all", APIKey: apiKey, Value: value,
		Column: centercodesim.DeliveryIDColumn, TicketColumn: centercodesim.TicketIDColumn,
	}
}

func TestFindTicket(t *testing.T) {
	sim := start(t, centercodesim.Config{PageRows: 3})
	c := newClient(t, sim.URL)
	if id, found, err := c.FindTicket(t.Context(), lookup("id-1")); id != "" || found || err != nil {
		t.Errorf("in an empty package: %q, %v, %v", id, found, err)
	}
	for n := 1; n <= 7; n++ {
		if _, err := c.CreateTicket(t.Context(), ticketRequest(fmt.Sprintf(`{"deliveryId":"id-%d"}`, n))); err != nil {
			t.Fatal(err)
		}
	}
	other := ticketRequest(`{"deliveryId":"elsewhere"}`)
	other.Project = "OTHER"
	if _, err := c.CreateTicket(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	for n := 1; n <= 7; n++ {
		id, found, err := c.FindTicket(t.Context(), lookup(fmt.Sprintf("id-%d", n)))
		if id != fmt.Sprint(n) || !found || err != nil {
			t.Errorf("id-%d: %q, %v, %v", n, id, found, err)
		}
	}
	for _, value := range []string{"id-8", "id-", "ID-1", "elsewhere"} {
		if id, found, err := c.FindTicket(t.Context(), lookup(value)); id != "" || found || err != nil {
			t.Errorf("%s: %q, %v, %v", value, id, found, err)
		}
	}
	l := lookup("id-1")
	l.Column = " delivery id" // the case of a column and the space around it do not matter
	if _, found, err := c.FindTicket(t.Context(), l); !found || err != nil {
		t.Errorf("found %v, %v", found, err)
	}
	l.Column = "Delivery"
	_, _, err := c.FindTicket(t.Context(), l)
	e := apiError(t, err)
	for _, want := range []string{`no column "Delivery"`, `"Ticket ID"`, `"Delivery ID"`, `"deliveryId"`} {
		if !strings.Contains(e.Description, want) {
			t.Errorf("%q does not name %s", e.Description, want)
		}
	}
}

func TestFindTicketFaults(t *testing.T) {
	tests := []struct {
		fault     centercodesim.Fault
		status    int
		permanent bool // the look-up can never work
	}{
		{centercodesim.Fault{Status: 401}, 401, false},
		{centercodesim.Fault{Status: 404}, 404, true},
		{centercodesim.Fault{Status: 500}, 500, false},
		{centercodesim.Fault{Status: 504}, 504, false},
		{centercodesim.Fault{Drop: true, After: true}, 0, false},
		{centercodesim.Fault{Body: centercodesim.BodyHTML}, 200, false},
		{centercodesim.Fault{Body: centercodesim.BodyEmpty}, 200, false},
		{centercodesim.Fault{Body: centercodesim.BodyTruncated, After: true}, 200, false},
		{centercodesim.Fault{Body: centercodesim.BodyEndless}, 200, true},
		{centercodesim.Fault{Answer: `{"hello":1}`}, 200, true},
		{centercodesim.Fault{Status: 302}, 302, false},
	}
	for _, tt := range tests {
		sim := start(t, centercodesim.Config{})
		sim.Inject(tt.fault)
		_, found, err := newClient(t, sim.URL).FindTicket(t.Context(), lookup("id-1"))
		if e := apiError(t, err); found || e.Op != centercode.OpFindTicket || e.Status != tt.status || e.Lost || e.Permanent() != tt.permanent {
			t.Errorf("%+v: got %+v", tt.fault, *e)
		}
	}
}

// TestFindTicketPages serves pages that the simulator never sends.
func TestFindTicketPages(t *testing.T) {
	const fields = `"fields":[{"dataType":"Text","name":"Ticket"},{"dataType":"Text","name":"Delivery ID"}]`
	row := func(ticket, id string) string {
		return `[{"computedValue":` + ticket + `,"values":[]},` + id + `]`
	}
	cell := `{"computedValue":"id-1","values":[]}`
	tests := []struct {
		name  string
		page  func(n string) string
		id    string
		text  string // "": no error
		pages int
	}{
		{"value in values", func(string) string {
			return `{"paging":{"totalPages":1},` + fields + `,"data":[` + row(`"T-1"`, `{"computedValue":"<a>id-1</a>","values":["x","id-1"]}`) + `]}`
		}, "T-1", "", 1},
		{"number as ticket, texts as numbers", func(n string) string {
			return `{"paging":{"totalPages":"2"},` + fields + `,"data":[` + row(`12`, map[string]string{"1": `{"computedValue":null}`, "2": cell}[n]) + `]}`
		}, "12", "", 2},
		{"no total", func(n string) string {
			if n == "3" {
				return `{` + fields + `,"data":[]}`
			}
			return `{` + fields + `,"data":[` + row(`1`, `{}`) + `]}`
		}, "", "", 3},
		{"nothing at all", func(string) string { return `{"paging":{"totalPages":0},"fields":[],"data":[]}` }, "", "", 1},
		{"no ticket id", func(string) string {
			return `{"paging":{"totalPages":1},` + fields + `,"data":[` + row(`""`, cell) + `]}`
		}, "", `column "Ticket" is empty`, 1},
		{"cells left out", func(string) string {
			return `{"paging":{"totalPages":1},` + fields + `,"data":[[` + cell + `]]}`
		}, "", "a row of 1 cells for 2 columns", 1},
		{"too many pages", func(string) string {
			return `{"paging":{"totalPages":9999},` + fields + `,"data":[` + row(`1`, `{}`) + `]}`
		}, "", "more than 500 pages", 500},
		{"something else", func(string) string { return `{"status":"ok"}` }, "", "not a page of a data package", 1},
		{"not even an object", func(string) string { return `[1]` }, "", "not a page of a data package", 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			pages := 0
			s := answering(t, func(w http.ResponseWriter, r *http.Request) {
				pages++
				if q := r.URL.Query(); r.Method != "GET" || q.Get("apiKey") != apiKey || q.Get("page") != fmt.Sprint(pages) ||
					r.URL.EscapedPath() != "/api/v1/projects/A%2FB/feedbackDataPackages/p%20q" {
					t.Errorf("asked for %s %s", r.Method, r.URL)
				}
				fmt.Fprint(w, tt.page(r.URL.Query().Get("page")))
			})
			id, found, err := newClient(t, s.URL).FindTicket(t.Context(), centercode.Lookup{
				Project: "A/B", Package: "p q", Column: "Delivery ID", TicketColumn: "Ticket", Value: "id-1", APIKey: apiKey,
			})
			if tt.text == "" && err != nil {
				t.Fatal(err)
			}
			if tt.text != "" {
				if e := apiError(t, err); !strings.Contains(e.Description, tt.text) || e.Status != 200 || e.Lost || !e.Permanent() {
					t.Errorf("got %+v", *e)
				}
			}
			if id != tt.id || found != (tt.id != "") || pages != tt.pages {
				t.Errorf("%q, %v after %d pages", id, found, pages)
			}
		})
	}
}

// TestEveryCallHidesTheKey: a dial error quotes the URL, and with it the key.
func TestEveryCallHidesTheKey(t *testing.T) {
	c := newClient(t, "http://127.0.0.1:1")
	_, err := c.CreateTicket(t.Context(), ticketRequest(`{}`))
	apiError(t, err)
	_, err = c.AddFile(t.Context(), file("/x", 1, pattern(1)))
	apiError(t, err)
	_, _, err = c.FindTicket(t.Context(), lookup("x"))
	apiError(t, err)
	var ue *url.Error
	if errors.As(err, &ue) {
		t.Errorf("%v is in the chain, and contains the URL", ue)
	}
}
