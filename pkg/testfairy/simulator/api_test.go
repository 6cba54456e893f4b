package simulator_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	testfairysim "fairbridge/pkg/testfairy/simulator"
)

// call sends a request to the REST API as its account and decodes the JSON response.
func call(t *testing.T, method, url string, form url.Values) (int, map[string]any) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.SetBasicAuth("ops@example.com", "key")
	got := do(t, request)
	var decoded map[string]any
	if err := json.Unmarshal(got.body, &decoded); err != nil {
		t.Fatalf("%s %s: %v in %q", method, url, err, got.body)
	}
	want := "fail"
	if got.StatusCode == http.StatusOK {
		want = "ok"
	}
	if decoded["status"] != want {
		t.Errorf("%s %s: HTTP status %d with status %v", method, url, got.StatusCode, decoded["status"])
	}
	return got.StatusCode, decoded
}

func TestAPICredentials(t *testing.T) {
	tests := []struct {
		name         string
		options      testfairysim.Config
		account, key string // none if both are empty
		want         int
	}{
		{"right", testfairysim.Config{Account: "a", APIKey: "k"}, "a", "k", 200},
		{"wrong key", testfairysim.Config{Account: "a", APIKey: "k"}, "a", "x", 401},
		{"wrong account", testfairysim.Config{Account: "a", APIKey: "k"}, "b", "k", 401},
		{"none", testfairysim.Config{Account: "a", APIKey: "k"}, "", "", 401},
		{"any will do", testfairysim.Config{}, "x", "y", 200},
		{"some there must be", testfairysim.Config{}, "", "", 401},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, base := start(t, tt.options)
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+"/api/1/feedbacks/", nil)
			if err != nil {
				t.Fatal(err)
			}
			if tt.account+tt.key != "" {
				request.SetBasicAuth(tt.account, tt.key)
			}
			if got := do(t, request); got.StatusCode != tt.want {
				t.Errorf("status %d, want %d", got.StatusCode, tt.want)
			}
		})
	}
}

func TestAPIWebhooks(t *testing.T) {
	sim, base := start(t, testfairysim.Config{Account: "ops@example.com", APIKey: "key"})
	if status, _ := call(t, "POST", base+"/api/1/webhook/", url.Values{"webhook-name": {"no URL"}}); status != 400 {
		t.Errorf("add without a URL: status %d", status)
	}
	for _, name := range []string{"first", "second"} {
		form := url.Values{"webhook-name": {name}, "webhook-url": {"https://example.com/?token=a"}, "actions": {"feedback,crash"}, "webhook-project-ids": {"1,2"}}
		if status, _ := call(t, "POST", base+"/api/1/webhook/", form); status != 200 {
			t.Fatalf("add: status %d", status)
		}
	}
	want := testfairysim.Webhook{ID: 2, Status: "true", Name: "second", URL: "https://example.com/?token=a", Actions: "feedback,crash", ProjectIDs: "1,2"}
	if got := sim.Webhooks(); len(got) != 2 || got[1] != want {
		t.Fatalf("added: %+v", got)
	}
	call(t, "POST", base+"/api/1/webhook/2/", url.Values{"webhook-status": {"false"}})
	_, answer := call(t, "GET", base+"/api/1/webhook/2/", nil)
	webhook, _ := answer["webhook"].(map[string]any)
	if webhook["status"] != "false" || webhook["name"] != "second" {
		t.Errorf("changed: %v", webhook)
	}
	if status, _ := call(t, "DELETE", base+"/api/1/webhook/1/", nil); status != 200 {
		t.Errorf("delete: status %d", status)
	}
	for _, method := range []string{"GET", "POST", "DELETE"} {
		if status, _ := call(t, method, base+"/api/1/webhook/1/", nil); status != 404 {
			t.Errorf("%s of a deleted webhook: status %d", method, status)
		}
	}
	_, answer = call(t, "GET", base+"/api/1/webhooks/", nil)
	if list, _ := answer["webhooks"].([]any); len(list) != 1 || len(sim.Webhooks()) != 1 {
		t.Errorf("listed: %v", answer)
	}
}

func TestAPIFeedbacks(t *testing.T) {
	sim, base := start(t, testfairysim.Config{})
	for i := range 101 {
		sim.AddFeedback(testfairysim.Feedback{FeedbackID: strconv.Itoa(i), RecordedAt: "2015-07-01 17:21:00"})
	}
	_, answer := call(t, "GET", base+"/api/1/feedbacks/", nil)
	list, _ := answer["feedbacks"].([]any)
	if len(list) != 100 {
		t.Fatalf("%d feedbacks, want 100", len(list))
	}
	latest, _ := list[0].(map[string]any)
	if latest["feedbackId"] != "100" || latest["recorded_at"] != "2015-07-01 07:21:00" || latest["recordedAt"] != "2015-07-01 17:21:00" {
		t.Errorf("latest: %v", latest)
	}
}

// TestSignedScreenshots checks that each listing signs its screenshots again, and how long
// those are available.
func TestSignedScreenshots(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	sim, base := start(t, testfairysim.Config{Signed: time.Hour, Now: func() time.Time { return now }})
	sim.AddFeedback(testfairysim.Feedback{FeedbackID: "1", ScreenshotURL: base + "/1.jpg"})
	sim.AddFeedback(testfairysim.Feedback{FeedbackID: "2"})
	var got []int
	for range 2 {
		_, answer := call(t, "GET", base+"/api/1/feedbacks/", nil)
		list, _ := answer["feedbacks"].([]any)
		first, _ := list[1].(map[string]any)
		screenshot, _ := first["screenshotUrl"].(string)
		for range 2 {
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, screenshot, nil)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, do(t, request).StatusCode)
			now = now.Add(time.Hour + time.Second)
		}
	}
	if fmt.Sprint(got) != "[200 403 200 403]" {
		t.Errorf("answered %v", got)
	}
}

func TestNewPlatform(t *testing.T) {
	sim, base := start(t, testfairysim.Config{NewPlatform: true, Sunset: time.Date(2026, 12, 31, 0, 0, 0, 0, time.UTC)})
	sim.AddFeedback(testfairysim.Feedback{FeedbackID: "1"})
	if _, answer := call(t, "GET", base+"/api/1/feedbacks/", nil); fmt.Sprint(answer["feedbacks"]) != "[]" {
		t.Errorf("listed %v", answer)
	}
	if status, _ := call(t, "POST", base+"/api/1/webhook/", url.Values{"webhook-url": {"https://example.com/"}}); status != 404 {
		t.Errorf("a webhook was accepted: %d", status)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+"/api/1/webhooks/", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.SetBasicAuth("x", "y")
	if got := do(t, request); got.Header.Get("Deprecation") != "true" || got.Header.Get("Sunset") != "Thu, 31 Dec 2026 00:00:00 GMT" {
		t.Errorf("headers %v", got.Header)
	}
}

func TestAPISessions(t *testing.T) {
	sim, base := start(t, testfairysim.Config{})
	const session = "/api/1/projects/10/builds/2/sessions/3/"
	for fields, want := range map[string]int{"meta": 200, "events": 200, "": 400, "video": 400} {
		if status, _ := call(t, "GET", base+session+"?fields="+fields, nil); status != want {
			t.Errorf("fields=%s: status %d, want %d", fields, status, want)
		}
	}
	for fields, contentType := range map[string]string{"logs": "text/plain; charset=utf-8", "meta": "application/json", "events": "application/json"} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+session+"?fields="+fields, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.SetBasicAuth("x", "y")
		got := do(t, request)
		if got.Header.Get("Content-Type") != contentType || len(got.body) == 0 {
			t.Errorf("%s: type %q, %d bytes", fields, got.Header.Get("Content-Type"), len(got.body))
		}
		if fields == "logs" && strings.Count(string(got.body), "\n") != 400 {
			t.Errorf("the log: %s", got.body)
		}
		if sim.SHA256(session+"?fields="+fields) != sha256Hex(got.body) {
			t.Errorf("%s: SHA256 is not that of what is served", fields)
		}
	}
	if sim.SHA256(session) != "" {
		t.Error("a session without fields has a SHA256")
	}
	if status, _ := call(t, "GET", base+"/api/1/nothing/", nil); status != 404 {
		t.Errorf("unknown path: status %d", status)
	}
}
