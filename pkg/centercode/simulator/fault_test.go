package simulator_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	centercodesim "fairbridge/pkg/centercode/simulator"
)

// send creates a ticket and returns the status, 0 if there was no response, and as much of
// the body as arrived.
func send(t *testing.T, s *centercodesim.Server, body string) (status int, got string, header http.Header) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Post(s.URL+"/api/v1/projects/DEMO/feedback/testfairy?apiKey=k", "application/json", strings.NewReader(body))
	if err != nil {
		return 0, "", nil
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return resp.StatusCode, string(data) + " (broke off)", resp.Header
	}
	return resp.StatusCode, string(data), resp.Header
}

func TestFaults(t *testing.T) {
	made := `{"files":`
	tests := []struct {
		name   string
		fault  centercodesim.Fault
		status int
		body   string // prefix
		end    string
		kept   int
	}{
		{"status", centercodesim.Fault{Status: 503}, 503, `{"status":503,`, `"}`, 0},
		{"status after", centercodesim.Fault{Status: 504, After: true}, 504, `{"status":504,`, `"}`, 1},
		{"drop", centercodesim.Fault{Drop: true}, 0, "", "", 0},
		{"drop after", centercodesim.Fault{Drop: true, After: true}, 0, "", "", 1},
		{"page", centercodesim.Fault{Status: 502, Body: centercodesim.BodyHTML}, 502, "<!DOCTYPE", "</html>\n", 0},
		{"page after", centercodesim.Fault{Body: centercodesim.BodyHTML, After: true}, 201, "<!DOCTYPE", "</html>\n", 1},
		{"empty", centercodesim.Fault{Status: 500, Body: centercodesim.BodyEmpty}, 500, "", "", 0},
		{"empty after", centercodesim.Fault{Body: centercodesim.BodyEmpty, After: true}, 201, "", "", 1},
		{"truncated", centercodesim.Fault{Body: centercodesim.BodyTruncated}, 200, `{"id":`, "(broke off)", 0},
		{"truncated after", centercodesim.Fault{Body: centercodesim.BodyTruncated, After: true}, 201, made, "(broke off)", 1},
		{"endless", centercodesim.Fault{Body: centercodesim.BodyEndless, After: true}, 201, `{"padding": "000`, "000", 1},
		{"a refusal in a success", centercodesim.Fault{Answer: `{"success":false}`}, 200, `{"success":false}`, "}", 0},
		{"a refusal in a success after", centercodesim.Fault{Answer: `{"success":false}`, After: true}, 200, `{"success":false}`, "}", 1},
		{"a refusal in a 202", centercodesim.Fault{Status: 202, Answer: `{"ok":false}`}, 202, `{"ok":false}`, "}", 0},
		{"an unassigned status", centercodesim.Fault{Status: 599, After: true}, 599, `{"status":599,`, `"}`, 1},
		{"hangs up", centercodesim.Fault{Status: 503, HangUp: true}, 503, `{"status":503,`, `"}`, 0},
		{"delay only", centercodesim.Fault{Delay: time.Millisecond}, 201, made, "}", 1},
		{"delay after", centercodesim.Fault{Delay: time.Millisecond, After: true}, 201, made, "}", 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := start(t, centercodesim.Config{})
			s.Inject(tt.fault)
			status, body, _ := send(t, s, `{}`)
			if status != tt.status || !strings.HasPrefix(body, tt.body) || !strings.HasSuffix(body, tt.end) || tt.body == "" && body != "" {
				t.Errorf("answered %d %.100s", status, body)
			}
			if kept := len(s.Tickets()); kept != tt.kept {
				t.Errorf("%d tickets", kept)
			}
			if status, _, _ := send(t, s, `{}`); status != 201 || s.Requests().Faults != 1 {
				t.Errorf("the next request got %d", status)
			}
		})
	}
}

func TestRedirect(t *testing.T) {
	s := start(t, centercodesim.Config{})
	s.Inject(centercodesim.Fault{Status: 302, Location: "/elsewhere"})
	if status, _, header := send(t, s, `{}`); status != 404 || s.Requests().Other != 1 {
		t.Errorf("answered %d, %v", status, header)
	}
}

func TestFaultQueue(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	s := start(t, centercodesim.Config{Now: func() time.Time { return now }})
	s.Inject(
		centercodesim.Fault{Op: centercodesim.OpFile, Status: 500},
		centercodesim.Fault{Op: centercodesim.OpCreate, Skip: 1, Times: 2, Status: 503, RetryAfter: "3"},
		centercodesim.Fault{Status: 418, Match: func(c centercodesim.Call) bool { return c.Fields["who"] == "teapot" }},
	)
	statuses := func(bodies ...string) (got []int) {
		for _, body := range bodies {
			status, _, _ := send(t, s, body)
			got = append(got, status)
		}
		return got
	}
	if got := statuses(`{}`, `{}`, `{}`, `{}`, `{"who":"teapot"}`, `{"who":"teapot"}`); !equal(got, 201, 503, 503, 201, 418, 201) {
		t.Errorf("answered %v", got)
	}
	if left := s.Faults(); len(left) != 1 || left[0].Op != centercodesim.OpFile {
		t.Errorf("left: %+v", left)
	}
	s.Heal()

	// A rate limit for a minute, counted from the first request that it affects.
	s.Inject(centercodesim.Fault{Op: centercodesim.OpCreate, For: time.Minute, Status: 429, RetryAfter: "60"})
	now = now.Add(time.Hour)
	if got := statuses(`{}`, `{}`, `{}`); !equal(got, 429, 429, 429) {
		t.Errorf("answered %v", got)
	}
	if _, _, header := send(t, s, `{}`); header.Get("Retry-After") != "60" {
		t.Errorf("headers %v", header)
	}
	now = now.Add(time.Minute)
	if got := statuses(`{}`); !equal(got, 201) || len(s.Faults()) != 0 {
		t.Errorf("answered %v, left %+v", got, s.Faults())
	}
	s.Inject(centercodesim.Fault{Times: -1, Status: 500})
	if got := statuses(`{}`, `{}`, `{}`); !equal(got, 500, 500, 500) {
		t.Errorf("answered %v", got)
	}
}

func equal(got []int, want ...int) bool {
	if len(got) != len(want) {
		return false
	}
	for i := range got {
		if got[i] != want[i] {
			return false
		}
	}
	return true
}

func TestFaultsOverHTTP(t *testing.T) {
	s := start(t, centercodesim.Config{})
	url := s.URL + "/simulator/faults"
	a := do(t, "POST", url, "application/json", strings.NewReader(`{"op":"create","status":429,"retryAfter":"9","for":"2m","delay":"1ms"}`))
	if want := `[{"op":"create","times":-1,"for":"2m0s","delay":"1ms","status":429,"retryAfter":"9"}]`; a.status != 200 || a.body != want {
		t.Errorf("answered %d %s", a.status, a.body)
	}
	if status, _, header := send(t, s, `{}`); status != 429 || header.Get("Retry-After") != "9" {
		t.Errorf("answered %d", status)
	}
	if a := do(t, "DELETE", url, "", nil); a.status != 204 {
		t.Errorf("answered %d", a.status)
	}
	if a := do(t, "POST", url, "application/json", strings.NewReader(`[{"drop":true},{"skip":1,"body":"html","after":true,"readFirst":3},{"answer":"{}","status":307,"location":"/x","hangUp":true}]`)); a.status != 200 {
		t.Errorf("answered %d %s", a.status, a.body)
	}
	if a := do(t, "GET", url, "", nil); a.body != `[{"times":1,"drop":true},{"skip":1,"times":1,"after":true,"readFirst":3,"body":"html"},{"times":1,"status":307,"location":"/x","answer":"{}","hangUp":true}]` {
		t.Errorf("answered %s", a.body)
	}
	if a := do(t, "DELETE", url, "", nil); a.status != 204 {
		t.Errorf("answered %d", a.status)
	}
	if a := do(t, "POST", url, "application/json", strings.NewReader(`{"project":"OTHER","source":"testfairy","status":404}`)); a.body != `[{"project":"OTHER","source":"testfairy","times":1,"status":404}]` {
		t.Errorf("answered %s", a.body)
	}
	if status, _, _ := send(t, s, `{}`); status != 201 {
		t.Errorf("a fault for another project was applied: %d", status)
	}
	for _, bad := range []string{``, `{`, `7`, `{"stauts":500}`, `{"for":"long"}`, `{"delay":1}`} {
		if a := do(t, "POST", url, "application/json", strings.NewReader(bad)); a.status != 400 {
			t.Errorf("%s answered %d", bad, a.status)
		}
	}
	if a := do(t, "POST", url, "text/plain", strings.NewReader(`{"drop":true}`)); a.status != 415 {
		t.Errorf("a page of another site could inject faults: %d", a.status)
	}
	if a := do(t, "PUT", url, "", nil); a.status != 405 {
		t.Errorf("PUT answered %d", a.status)
	}
}

// TestCloseEndsADelay checks that closing the simulator ends delayed requests.
func TestCloseEndsADelay(t *testing.T) {
	s := start(t, centercodesim.Config{})
	s.Inject(centercodesim.Fault{Delay: time.Hour, Status: 500, Match: func(centercodesim.Call) bool {
		go s.Simulator.Close() // while the request waits, or just before
		return true
	}})
	if status, _, _ := send(t, s, `{}`); status != 500 {
		t.Errorf("answered %d", status)
	}
}
