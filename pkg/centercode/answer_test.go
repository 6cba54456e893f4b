package centercode

import (
	"encoding/json"
	"maps"
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
		{"elements beside the id", `{"ticketId":7,"screenshot":"/api/v1/feedback/7/files/screenshot"}`, "7", shot, []string{"screenshot", "ticketId"}},
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
		"http://beta.example.com/api/v1/feedback/7/files/a%20b", // behind a proxy that ends TLS
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
	for _, raw := range []string{
		"https://evil.example/api/v1/feedback/7", "//evil.example/api/v1/feedback/7",
		"https://beta.example.com.evil.example/x", "https://beta.example.com:8443/x",
		"https://user:pass@beta.example.com/x", "https://beta.example.com@evil.example/x",
		"ftp://beta.example.com/x", "javascript:alert(1)", "https:beta.example.com/x", "https:///x", "%zz",
	} {
		if got, err := client("https://beta.example.com").completeEndpoint("DEMO", raw); err == nil {
			t.Errorf("%s became %s; it is not Centercode's", raw, got)
		}
	}
}

func FuzzReadTicket(f *testing.F) {
	f.Add("DEMO", []byte(`{"id":"7","files":{"screenshot":"/api/v1/projects//feedback/7/files/screenshot"}}`))
	f.Add("DEMO", []byte(`{"data":{"feedback":{"id":7,"links":[{"key":"a","url":"https://evil.example/?apiKey=sesame-sesame"}]}}}`))
	f.Add("", []byte(`{"status":400,"description":"no"}`))
	f.Add("{projectKey}", []byte(`[[{"url":"//h/%2f"}]]`))
	c, err := New(Config{BaseURL: "https://beta.example.com/t"})
	if err != nil {
		f.Fatal(err)
	}
	const key = "sesame-sesame"
	f.Fuzz(func(t *testing.T, project string, body []byte) {
		x := &call{op: OpCreateTicket, key: key}
		ticket, err := c.readTicket(x, project, body)
		if err != nil {
			if !json.Valid(body) && !err.(*Error).Lost {
				t.Errorf("not JSON, but not lost: %v", err)
			}
			if len([]rune(err.(*Error).Description)) > maxDescription || strings.Contains(err.Error(), key) {
				t.Errorf("bad error: %v", err)
			}
			return
		}
		size := 0
		for element, endpoint := range ticket.Files {
			size += len(element) + len(endpoint)
			if !strings.HasPrefix(endpoint, "https://beta.example.com/t/") {
				t.Errorf("%q goes to %q", element, endpoint)
			}
		}
		if size > 32<<10 || len(ticket.ID) > maxID || len(ticket.AnswerKeys) > maxAnswerKeys {
			t.Errorf("not bounded: %d bytes of endpoints, id of %d, %d keys", size, len(ticket.ID), len(ticket.AnswerKeys))
		}
		again, err := c.readTicket(x, project, body)
		if err != nil || !maps.Equal(again.Files, ticket.Files) || again.ID != ticket.ID {
			t.Errorf("read differently the second time: %+v, %+v, %v", ticket, again, err)
		}
	})
}
