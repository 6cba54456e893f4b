package centercode

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
)

func TestReadAnswer(t *testing.T) {
	shot := map[string]string{"screenshot": "/api/v1/feedback/7/files/screenshot"}
	tests := []struct {
		name  string
		body  string
		id    string
		files map[string]string
		keys  []string // nil: not compared
	}{
		{"object of element to URL", `{"id":"7","files":{"screenshot":"/api/v1/feedback/7/files/screenshot"}}`, "7", shot, []string{"files.screenshot", "id"}},
		{"elements next to the id", `{"ticketId":7,"screenshot":"/api/v1/feedback/7/files/screenshot"}`, "7", shot, []string{"screenshot", "ticketId"}},
		{"list with key and url", `{"id":7,"fileElements":[{"key":"screenshot","url":"/api/v1/feedback/7/files/screenshot"}]}`, "7", shot, []string{"fileElements[].key", "fileElements[].url", "id"}},
		{"list with name and endpoint", `{"feedback_id":"F-7","endpoints":[{"name":"screenshot","endpoint":"/api/v1/feedback/7/files/screenshot"}]}`, "F-7", shot, nil},
		{"list with key and name", `{"id":7,"files":[{"id":1,"key":"screenshot","name":"A picture","href":"/api/v1/feedback/7/files/screenshot"}]}`, "7",
			map[string]string{"screenshot": "/api/v1/feedback/7/files/screenshot", "A picture": "/api/v1/feedback/7/files/screenshot", "1": "/api/v1/feedback/7/files/screenshot"}, nil},
		{"a name does not take another's key", `{"files":[{"key":"a","name":"b","url":"/api/v1/x"},{"key":"b","url":"/api/v1/y"}]}`, "",
			map[string]string{"a": "/api/v1/x", "b": "/api/v1/y"}, nil},
		{"object of objects", `{"feedback":{"id":7,"links":{"screenshot":{"href":"/api/v1/feedback/7/files/screenshot"}}}}`, "7", shot, nil},
		{"nested under data", `{"data":{"id":7,"files":{"screenshot":"/api/v1/feedback/7/files/screenshot"}}}`, "7", shot, nil},
		{"nested under data and feedback", `{"data":{"feedback":{"id":7,"files":[{"key":"screenshot","url":"/api/v1/feedback/7/files/screenshot"}]}}}`, "7", shot,
			[]string{"data.feedback.files[].key", "data.feedback.files[].url", "data.feedback.id"}},
		{"nested under ticket", `{"status":201,"ticket":{"id":"7","url":"/api/v1/feedback/7","files":{"screenshot":"/api/v1/feedback/7/files/screenshot"}}}`, "7", shot, nil},
		{"list of the one ticket", `[{"id":7,"files":{"screenshot":"/api/v1/feedback/7/files/screenshot"}}]`, "7", shot, nil},
		{"absolute URL", `{"id":7,"screenshot":"https://beta.example.com/api/v1/projects//feedback/7/files/screenshot"}`, "7",
			map[string]string{"screenshot": "https://beta.example.com/api/v1/projects//feedback/7/files/screenshot"}, nil},
		{"relative path", `{"id":7,"screenshot":"feedback/7/files/screenshot"}`, "7", map[string]string{"screenshot": "feedback/7/files/screenshot"}, nil},
		{"the surest id wins", `{"id":"request-1","key":"DEMO","data":{"ticketId":7}}`, "7", nil, nil},
		{"the ticket's id before the request's", `{"id":"request-1","ticket":{"id":7}}`, "7", nil, nil},
		{"scalar ticket", `{"ticket":7}`, "7", nil, nil},
		{"bare number", `7`, "7", nil, nil},
		{"a field of the form is no id", `{"feedback":"It crashes","ticket":"crash"}`, "", nil, nil},
		{"a link is no id", `{"id":"https://beta.example.com/7"}`, "", nil, nil},
		{"texts are no endpoints", `{"id":7,"files":[{"key":"screenshot","url":"see the manual","contentType":"image/png"}],"created":"2026/01/02"}`, "7", nil, nil},
		{"null", `null`, "", nil, nil},
		{"empty object", `{}`, "", nil, nil},
		{"wrong types everywhere", `{"id":{},"files":[1,null,"x",[[]]],"ticket":[[]],"data":true}`, "", nil, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, err := readAnswer([]byte(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			if a.id != tt.id {
				t.Errorf("id %q, want %q", a.id, tt.id)
			}
			if !maps.Equal(a.files, tt.files) {
				t.Errorf("files %v, want %v", a.files, tt.files)
			}
			if tt.keys != nil && !slices.Equal(a.keys, tt.keys) {
				t.Errorf("keys %q, want %q", a.keys, tt.keys)
			}
		})
	}
	for _, body := range []string{"", "<html>", "{", `{"id":7}{`, `{"id":7} 8`, "OK"} {
		if a, err := readAnswer([]byte(body)); err == nil {
			t.Errorf("%q was read as %+v", body, a)
		}
	}
}

func TestCompleteEndpoint(t *testing.T) {
	const want = "https://beta.example.com/api/v1/projects/DEMO/feedback/7/files/a%20b"
	same := []string{
		"https://beta.example.com/api/v1/projects/DEMO/feedback/7/files/a%20b",
		"https://beta.example.com/api/v1/projects//feedback/7/files/a%20b",
		"https://beta.example.com/api/v1/projects/feedback/7/files/a%20b",
		"https://beta.example.com/api/v1/projects/{projectKey}/feedback/7/files/a%20b",
		"https://beta.example.com/api/v1/projects/%7BprojectKey%7D/feedback/7/files/a%20b",
		"https://beta.example.com/api/v1/projects/{{project}}/feedback/7/files/a%20b",
		"https://beta.example.com/api/v1/projects/:projectKey/feedback/7/files/a%20b",
		"https://beta.example.com/api/v1/projects/[projectKey]/feedback/7/files/a%20b",
		"https://beta.example.com/api/v1/projects/<projectKey>/feedback/7/files/a%20b",
		"https://beta.example.com/api/v1/projects/{0}/feedback/7/files/a%20b",
		"https://beta.example.com/api/v1/projects/null/feedback/7/files/a%20b",
		"https://beta.example.com/api/v1/feedback/7/files/a%20b",
		"http://beta.example.com/api/v1/feedback/7/files/a%20b", // behind a proxy that terminates TLS
		"https://BETA.example.com:443/api/v1/feedback/7/files/a%20b",
		"//beta.example.com/api/v1/feedback/7/files/a%20b",
		"/api/v1/projects//feedback/7/files/a%20b",
		"/api/v1/feedback/7/files/a%20b?apiKey=secret#top",
		"api/v1/feedback/7/files/a%20b?APIKEY=secret",
		"/projects/{projectKey}/feedback/7/files/a%20b",
		"projects//feedback/7/files/a%20b",
		"/feedback/7/files/a%20b",
		"feedback/7/files/a%20b",
	}
	client := func(base string) *Client {
		c, err := New(Config{BaseURL: base})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	for _, raw := range same {
		if got, err := client("https://beta.example.com/").completeEndpoint("DEMO", raw); err != nil || got != want {
			t.Errorf("%s became %s, %v", raw, got, err)
		}
	}
	tests := []struct{ base, project, raw, want string }{
		{"https://h.example/tenant", "DEMO", "/api/v1/feedback/7", "https://h.example/tenant/api/v1/projects/DEMO/feedback/7"},
		{"https://h.example/tenant", "DEMO", "https://h.example/tenant/api/v1/projects//feedback/7", "https://h.example/tenant/api/v1/projects/DEMO/feedback/7"},
		{"https://h.example/tenant", "DEMO", "feedback/7", "https://h.example/tenant/api/v1/projects/DEMO/feedback/7"},
		{"https://h.example:8443", "DEMO", "https://h.example/api/v1/feedback/7", "https://h.example:8443/api/v1/projects/DEMO/feedback/7"},
		{"https://h.example", "A/B C", "/api/v1/projects//feedback/7", "https://h.example/api/v1/projects/A%2FB%20C/feedback/7"},
		{"https://h.example", "DEMO", "/api/v1/projects/31/feedback/7", "https://h.example/api/v1/projects/31/feedback/7"},
		{"https://h.example", "DEMO", "/api/feedback/7", "https://h.example/api/projects/DEMO/feedback/7"},
		{"https://h.example", "DEMO", "/upload/{projectKey}/x?part=1&apiKey=secret", "https://h.example/upload/DEMO/x?part=1"},
		{"http://127.0.0.1:8081", "DEMO", "http://127.0.0.1:8081/api/v1/projects//feedback/7", "http://127.0.0.1:8081/api/v1/projects/DEMO/feedback/7"},
	}
	for _, tt := range tests {
		if got, err := client(tt.base).completeEndpoint(tt.project, tt.raw); err != nil || got != tt.want {
			t.Errorf("%s became %s, %v; want %s", tt.raw, got, err, tt.want)
		}
	}
	// Endpoints on other hosts are kept, since centercode.hosts may list those later, but
	// no file is sent there.
	for _, raw := range []string{
		"https://evil.example/api/v1/feedback/7", "//evil.example/api/v1/feedback/7", "http://localhost/x", "http://127.0.0.1/x",
		"https://beta.example.com.evil.example/x", "https://beta.example.com:8443/x",
	} {
		c := client("https://beta.example.com")
		completed, err := c.completeEndpoint("DEMO", raw)
		if err != nil {
			t.Errorf("%s: %v", raw, err)
		}
		for _, raw := range []string{raw, completed} {
			if err := c.CheckEndpoint(raw); err == nil || !strings.Contains(err.Error(), "centercode.hosts") || !strings.Contains(err.Error(), "beta.example.com") {
				t.Errorf("%s: %v", raw, err)
			}
		}
	}
	for _, raw := range []string{
		"https://user:pass@beta.example.com/x", "https://beta.example.com@evil.example/x",
		"ftp://beta.example.com/x", "javascript:alert(1)", "https:beta.example.com/x", "https:///x", "%zz",
	} {
		if got, err := client("https://beta.example.com").completeEndpoint("DEMO", raw); err == nil {
			t.Errorf("%s became %s, but is not an endpoint", raw, got)
		}
	}
}

// TestFurtherHosts checks that the API key is sent to the listed hosts, never less securely
// than to the base URL, and nowhere else.
func TestFurtherHosts(t *testing.T) {
	tests := []struct {
		base, host, raw, want string // want "": refused
	}{
		{"https://beta.example.com", "www.centercode.example", "https://www.centercode.example/api/v1/projects//feedback/7", "https://www.centercode.example/api/v1/projects/DEMO/feedback/7"},
		{"https://beta.example.com", "WWW.centercode.example", "http://www.Centercode.example/x", "https://www.Centercode.example/x"},
		{"https://beta.example.com", "www.centercode.example", "https://www.centercode.example:8443/x", ""},
		{"https://beta.example.com", "www.centercode.example:8443", "https://www.centercode.example:8443/x", "https://www.centercode.example:8443/x"},
		{"https://beta.example.com", "www.centercode.example", "https://evil.example/x", ""},
		{"https://beta.example.com", "www.centercode.example", "https://www.centercode.example.evil.example/x", ""},
		{"https://beta.example.com/tenant", "www.centercode.example", "https://www.centercode.example/tenant/api/v1/feedback/7", "https://www.centercode.example/tenant/api/v1/projects/DEMO/feedback/7"},
		{"http://127.0.0.1:81", "localhost:82", "http://localhost:82/x", "http://localhost:82/x"},
		{"http://127.0.0.1:81", "localhost", "http://localhost:81/x", "http://localhost:81/x"},
		{"http://127.0.0.1:81", "localhost", "http://localhost:82/x", ""},
		{"http://127.0.0.1:81", "beta.example.com", "http://beta.example.com/x", "https://beta.example.com/x"},
	}
	for _, tt := range tests {
		c, err := New(Config{BaseURL: tt.base, Hosts: []string{tt.host}})
		if err != nil {
			t.Fatal(err)
		}
		got, err := c.completeEndpoint("DEMO", tt.raw)
		if err != nil {
			t.Errorf("%s: %v", tt.raw, err)
		}
		if err := c.CheckEndpoint(got); (err == nil) != (tt.want != "") || err == nil && got != tt.want {
			t.Errorf("%s with %s became %s, %v; want %q", tt.raw, tt.host, got, err, tt.want)
		}
	}
}

func TestFileEndpoint(t *testing.T) {
	for _, tt := range []struct {
		files         map[string]string
		element, want string
	}{
		{map[string]string{"screenshot": "/a"}, "screenshot", "/a"},
		{map[string]string{"Screenshot": "/a"}, "screenshot", "/a"},
		{map[string]string{"SCREENSHOT": "/a", "screenshot": "/b"}, "screenshot", "/b"},
		{map[string]string{"SCREENSHOT": "/a", "ScreenShot": "/b"}, "screenshot", ""},
		{map[string]string{"SCREENSHOT": "/a", "ScreenShot": "/a"}, "screenshot", "/a"},
		{map[string]string{"screen shot": "/a"}, "screenshot", ""},
		{nil, "screenshot", ""},
	} {
		if got, ok := FileEndpoint(tt.files, tt.element); got != tt.want || ok != (tt.want != "") {
			t.Errorf("%v, %s: %q, %v", tt.files, tt.element, got, ok)
		}
	}
}

func FuzzReadTicket(f *testing.F) {
	f.Add("DEMO", 200, []byte(`{"id":"7","files":{"screenshot":"/api/v1/projects//feedback/7/files/screenshot"}}`))
	f.Add("DEMO", 201, []byte(`{"data":{"feedback":{"id":7,"links":[{"key":"a","url":"https://evil.example/?apiKey=sesame-sesame"}]}}}`))
	f.Add("", 200, []byte(`{"status":400,"description":"no"}`))
	f.Add("{projectKey}", 204, []byte(`[[{"url":"//h/%2f"}]]`))
	f.Add("DEMO", 200, []byte(`{"id":7,"errors":[{"code":"4e2"}],"ok":false}`))
	f.Add("DEMO", 500, []byte(`[{"Status":"500","Description":"sesame-sesame","errCode":-0.0}]`))
	c, err := New(Config{BaseURL: "https://beta.example.com/t"})
	if err != nil {
		f.Fatal(err)
	}
	const key = "sesame-sesame"
	f.Fuzz(func(t *testing.T, project string, status int, body []byte) {
		for _, op := range []string{OpCreateTicket, OpAddFile, OpFindTicket} {
			x := c.begin(op, key)
			x.reads = op == OpFindTicket
			answer := &http.Response{StatusCode: 200 + max(status, -status-1)%400, Body: io.NopCloser(bytes.NewReader(body))}
			r, err := x.read(t.Context(), func() {}, answer, maxAnswerBytes)
			if err != nil {
				checkRefusal(t, err.(*Error), key)
				if answer.StatusCode/100 == 2 && !json.Valid(bytes.TrimSpace(trimBOM(body))) {
					t.Errorf("a success that is not JSON is %v", err)
				}
				continue
			}
			if answer.StatusCode/100 != 2 {
				t.Errorf("%d is a success", answer.StatusCode)
			}
			if x.reads {
				continue
			}
			ticket, err := c.readTicket(x, project, r)
			if err != nil {
				checkRefusal(t, err.(*Error), key)
				if !err.(*Error).Lost {
					t.Errorf("a success without a refusal is neither a ticket nor lost: %v", err)
				}
				continue
			}
			checkTicket(t, c, ticket, key)
			if _, refused := findRefusal(r.body); refused {
				t.Errorf("both refused and a ticket: %q", body)
			}
			again, err := c.readTicket(x, project, r)
			if err != nil || !maps.Equal(again.Files, ticket.Files) || again.ID != ticket.ID {
				t.Errorf("read differently the second time: %+v, %+v, %v", ticket, again, err)
			}
		}
	})
}

func checkRefusal(t *testing.T, e *Error, key string) {
	t.Helper()
	if len([]rune(e.Description)) > maxDescription || strings.Contains(e.Error(), key) {
		t.Errorf("bad error: %v", e)
	}
	if e.Lost && (e.Permanent() || e.OwnFault || e.Op == OpFindTicket) {
		t.Errorf("lost and certain at once: %+v", *e)
	}
}

func checkTicket(t *testing.T, c *Client, ticket Ticket, key string) {
	t.Helper()
	size := 0
	for element, endpoint := range ticket.Files {
		size += len(element) + len(endpoint)
		if strings.Contains(element+endpoint, key) {
			t.Errorf("%q contains the key: %q", element, endpoint)
		}
		if u, err := c.ownURL(endpoint); err == nil && (u.Scheme != "https" || u.Host != "beta.example.com") {
			t.Errorf("%q is sent to %q", element, endpoint)
		}
	}
	if size > 32<<10 || len(ticket.ID) > maxID || len(ticket.AnswerKeys) > maxAnswerKeys || strings.Contains(ticket.ID, key) {
		t.Errorf("not bounded: %d bytes of endpoints, id %q, %d keys", size, ticket.ID, len(ticket.AnswerKeys))
	}
}
