package api_test

import (
	"errors"
	"io"
	"net/http"
	"reflect"
	"testing"
	"time"

	"fairbridge/pkg/testfairy/api"
	testfairysim "fairbridge/pkg/testfairy/simulator"
)

func TestFeedbacks(t *testing.T) {
	server := testfairysim.New(testfairysim.Config{Account: credentials.User, APIKey: key})
	c := serve(t, server.Handler())
	if got, err := c.Feedbacks(t.Context()); err != nil || len(got) != 0 {
		t.Fatalf("an empty account has %v, %v", got, err)
	}
	server.AddFeedback(testfairysim.Feedback{
		FeedbackID: "7", RecordedAt: "2015-07-01 17:21:00", Text: " a\nb ", ReportedBy: "a@b.c",
		ScreenshotURL: "https://h/a.jpg", ProjectID: "10", BuildID: "5", SessionID: "3",
	})
	server.AddFeedback(testfairysim.Feedback{FeedbackID: "8"})
	got, err := c.Feedbacks(t.Context())
	want := []api.Feedback{{ID: "8"}, {
		ID: "7", RecordedAt: [2]string{"2015-07-01 07:21:00", "2015-07-01 17:21:00"}, Text: " a\nb ", Email: "a@b.c",
		ScreenshotURL: "https://h/a.jpg", ProjectID: "10", BuildID: "5", SessionID: "3",
	}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
	if c.Ending() != (api.Ending{}) {
		t.Errorf("sunset is announced: %+v", c.Ending())
	}
}

func TestFeedbackShapes(t *testing.T) {
	const odd = `{"status":"ok","feedbacks":{"7":{"recorded_at":1435771260,"text":5,"projectId":10,"buildId":null,"session_id":{},"reported_by":[]}}}`
	want := []api.Feedback{{ID: "7", RecordedAt: [2]string{"1435771260", ""}, Text: "5", ProjectID: "10"}}
	if got, err := serve(t, answering(200, odd)).Feedbacks(t.Context()); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
	for _, body := range []string{`{"status":"ok"}`, `{"status":"ok","feedbacks":"none"}`, `{"status":"ok","feedbacks":[5]}`, `{"status":"fail"}`, `<html>`} {
		if got, err := serve(t, answering(200, body)).Feedbacks(t.Context()); err == nil || got != nil || errors.Is(err, api.ErrGone) {
			t.Errorf("%s: got %v, %v", body, got, err)
		}
	}
}

func TestGone(t *testing.T) {
	sunset := time.Date(2026, 12, 31, 23, 59, 59, 0, time.UTC)
	for name, tt := range map[string]struct {
		status   int
		header   http.Header
		body     string
		gone     bool
		deprecat bool
	}{
		"404":                     {404, nil, "<html>", true, false},
		"410":                     {410, nil, "", true, false},
		"empty, and a sunset":     {200, http.Header{"Sunset": {sunset.Format(http.TimeFormat)}}, `{"status":"ok","feedbacks":[]}`, true, true},
		"empty, and deprecated":   {200, http.Header{"Deprecation": {"@1688169599"}}, `{"status":"ok","feedbacks":[]}`, true, true},
		"empty, and not so":       {200, http.Header{"Deprecation": {"false"}}, `{"status":"ok","feedbacks":[]}`, false, false},
		"not empty, and a sunset": {200, http.Header{"Sunset": {"soon"}}, `{"status":"ok","feedbacks":[{}]}`, false, true},
		"out of order":            {500, http.Header{"Deprecation": {"true"}}, "", false, true},
		"the key is wrong":        {401, nil, "", false, false},
	} {
		c := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			for name, values := range tt.header {
				w.Header()[name] = values
			}
			w.WriteHeader(tt.status)
			_, _ = io.WriteString(w, tt.body)
		}))
		_, err := c.Feedbacks(t.Context())
		if errors.Is(err, api.ErrGone) != tt.gone || c.Ending().Deprecated != tt.deprecat {
			t.Errorf("%s: %v, %+v", name, err, c.Ending())
		}
		if s := c.Ending().Sunset; name == "empty, and a sunset" && !s.Equal(sunset) || name != "empty, and a sunset" && !s.IsZero() {
			t.Errorf("%s: sunset %s", name, s)
		}
		if name == "404" {
			if want := "TestFairy: list feedbacks: it no longer exists (HTTP 404)"; err.Error() != want {
				t.Errorf("got %q", err)
			}
			if _, err := c.Webhooks(t.Context()); !errors.Is(err, api.ErrGone) {
				t.Errorf("webhooks: %v", err)
			}
		}
	}
}

func TestSession(t *testing.T) {
	c := serve(t, testfairysim.New(testfairysim.Config{}).Handler())
	got, err := c.Session(t.Context(), "10", "5", "3 ä")
	if err != nil || got["device"] != "samsung gt-i9100t" || got["id"] != "3 ä" || got["duration"] != "60" {
		t.Errorf("got %v, %v", got, err)
	}
	nested := `{"status":"ok","session":{"appName":"Demo","meta":{"device":"d","x":{}}}}`
	if got, err := serve(t, answering(200, nested)).Session(t.Context(), "1", "2", "3"); err != nil || got["device"] != "d" || got["appName"] != "Demo" {
		t.Errorf("got %v, %v", got, err)
	}
}
