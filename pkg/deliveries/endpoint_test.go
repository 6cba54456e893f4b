package deliveries_test

import (
	"maps"
	"testing"

	"fairbridge/pkg/deliveries"
	"fairbridge/pkg/ledger"
)

func TestEndpoints(t *testing.T) {
	const site = "https://beta.example.com"
	for name, tt := range map[string]struct {
		state           ledger.State
		ticket, element string
		endpoint, want  string // want is "" if no endpoint is proposed
	}{
		"the site's own":            {ledger.Completed, "4711", "screenshot", site + "/api/v1/projects/DEMO/feedback/4711/files/screenshot", "/api/v1/projects/DEMO/feedback/{{ .ticketId }}/files/screenshot"},
		"without a host":            {ledger.Completed, "4711", "log", "/files/4711", "/files/{{ .ticketId }}"},
		"another host":              {ledger.Completed, "4711", "log", "https://files.example.com/4711/log", "https://files.example.com/{{ .ticketId }}/log"},
		"another port":              {ledger.Completed, "4711", "log", site + ":8443/4711/log", site + ":8443/{{ .ticketId }}/log"},
		"a path that means another": {ledger.Completed, "4711", "log", site + "/Feedback/4711", site + "/Feedback/{{ .ticketId }}"},
		"in the query":              {ledger.Completed, "4711", "log", site + "/files?ticket=4711&element=log", "/files?ticket={{ .ticketId }}&element=log"},
		"an id that is escaped":     {ledger.Completed, "4/2 a", "log", site + "/files/4%2F2%20a/log", "/files/{{ .ticketId }}/log"},
		"a part of another word":    {ledger.Completed, "1", "log", site + "/api/v1/projects/P1/feedback/1/files/log1", "/api/v1/projects/P1/feedback/{{ .ticketId }}/files/log1"},
		"the id is the project's":   {ledger.Completed, "7", "log", site + "/projects/7/feedback/7/files/log", ""},
		"the id is not there":       {ledger.Completed, "4711", "log", site + "/upload/f00d", ""},
		"braces are no template":    {ledger.Completed, "4711", "log", site + "/{{ .x }}/4711", "/%7B%7B%20.x%20%7D%7D/{{ .ticketId }}"},
		"no URL":                    {ledger.Completed, "4711", "log", "https://%zz/4711", ""},
		"a ticket without a name":   {ledger.Completed, "", "log", site + "/files/", ""},
		"not yet":                   {ledger.Created, "4711", "log", site + "/files/4711", ""},
		"a dead letter":             {ledger.Dead, "4711", "log", site + "/files/4711", ""},
		"no endpoint":               {ledger.Completed, "4711", "log", "", ""},
		"the fragment has no sense": {ledger.Completed, "4711", "log", site + "/files/4711#4711", "/files/{{ .ticketId }}"},
	} {
		e := ledger.Entry{State: tt.state, TicketID: tt.ticket, Where: &ledger.Where{BaseURL: site + "/"}, Files: map[string]string{tt.element: tt.endpoint}}
		want := map[string]string{}
		if tt.want != "" {
			want[tt.element] = tt.want
		}
		if got := deliveries.Endpoints(e); !maps.Equal(got, want) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
	old := ledger.Entry{State: ledger.Completed, TicketID: "1", Files: map[string]string{"log": site + "/1"}}
	if got := deliveries.Endpoints(old)["log"]; got != site+"/{{ .ticketId }}" {
		t.Errorf("of an entry without a request: %q", got)
	}
}
