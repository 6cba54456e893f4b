package simulator

import (
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// account is the data behind the REST API, guarded by Server.mu.
type account struct {
	webhooks      map[int]Webhook
	lastWebhookID int
	feedbacks     []Feedback // latest first
}

// apiHandler serves the REST API. Only "status" and the fields of the entries are
// documented; the rest of a response is this package's choice.
func (s *Server) apiHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/1/feedbacks/{$}", s.listFeedbacks)
	mux.HandleFunc("GET /api/1/projects/{project}/builds/{build}/sessions/{session}/{$}", s.readSession)
	mux.HandleFunc("GET /api/1/webhooks/{$}", s.listWebhooks)
	mux.HandleFunc("POST /api/1/webhook/{$}", s.addWebhook)
	mux.HandleFunc("GET /api/1/webhook/{id}/{$}", s.onWebhook(readWebhook))
	mux.HandleFunc("POST /api/1/webhook/{id}/{$}", s.onWebhook(changeWebhook))
	mux.HandleFunc("DELETE /api/1/webhook/{id}/{$}", s.onWebhook(deleteWebhook))
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		answerFail(w, http.StatusNotFound, "not found")
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.authorized(r) {
			w.Header().Set("WWW-Authenticate", `Basic realm="TestFairy"`)
			answerFail(w, http.StatusUnauthorized, "wrong credentials")
			return
		}
		if !s.config.Sunset.IsZero() {
			w.Header().Set("Deprecation", "true")
			w.Header().Set("Sunset", s.config.Sunset.UTC().Format(http.TimeFormat))
		}
		mux.ServeHTTP(w, r)
	})
}

func (s *Server) authorized(r *http.Request) bool {
	account, key, ok := r.BasicAuth()
	if !ok || s.config.APIKey == "" {
		return ok
	}
	return subtle.ConstantTimeCompare([]byte(account), []byte(s.config.Account)) == 1 &&
		subtle.ConstantTimeCompare([]byte(key), []byte(s.config.APIKey)) == 1
}

func answerOK(w http.ResponseWriter, answer map[string]any) {
	answer["status"] = "ok"
	writeJSON(w, http.StatusOK, answer)
}

func answerFail(w http.ResponseWriter, status int, message string) {
	writeJSON(w, status, map[string]any{"status": "fail", "message": message})
}

func writeJSON(w http.ResponseWriter, status int, answer map[string]any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(encode(answer)) // the client may be gone
}

func encode(answer map[string]any) []byte {
	text, _ := json.Marshal(answer) // always marshals
	return text
}

// Feedback is an entry of the REST API's list of feedbacks, with the fields of
// the documented sample.
type Feedback struct {
	RecordedAt    string `json:"recordedAt"` // recorded_at is in another time zone
	Text          string `json:"text"`       // what the tester wrote
	FeedbackID    string `json:"feedbackId"` // not in the webhook
	ScreenshotURL string `json:"screenshotUrl"`
	BuildID       string `json:"buildId"`
	ProjectID     string `json:"projectId"`
	Source        string `json:"source"`      // such as "shake"
	ReportedBy    string `json:"reported_by"` // an email address
	SessionID     string `json:"session_id"`
}

// otherClock is the difference between recorded_at and recordedAt in the documented sample,
// which are in different time zones.
const otherClock = -10 * time.Hour

// maxFeedbacks is the number of feedbacks that the API lists: the latest 100.
const maxFeedbacks = 100

// AddFeedback adds a feedback to the head of the API's list. The new platform has no such
// list, so there it stays empty.
func (s *Server) AddFeedback(feedback Feedback) {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := slices.Insert(s.account.feedbacks, 0, feedback)
	s.account.feedbacks = list[:min(len(list), maxFeedbacks)]
}

func (s *Server) listFeedbacks(w http.ResponseWriter, _ *http.Request) {
	type entry struct {
		Feedback
		RecordedAtAgain string `json:"recorded_at"`
	}
	entries := []entry{}
	s.mu.Lock()
	for _, feedback := range s.account.feedbacks {
		again := feedback.RecordedAt
		if t, err := time.Parse(time.DateTime, again); err == nil {
			again = t.Add(otherClock).Format(time.DateTime)
		}
		feedback.ScreenshotURL = s.sign(feedback.ScreenshotURL)
		entries = append(entries, entry{feedback, again})
	}
	s.mu.Unlock()
	if s.config.NewPlatform {
		entries = entries[:0]
	}
	answerOK(w, map[string]any{"feedbacks": entries})
}

func (s *Server) readSession(w http.ResponseWriter, r *http.Request) {
	if isSessionLog(r.URL) {
		s.serveFile(w, r)
		return
	}
	answer, ok := sessionAnswer(r.URL)
	if !ok {
		answerFail(w, http.StatusBadRequest, "fields must be meta, events or logs")
		return
	}
	writeJSON(w, http.StatusOK, answer)
}

var sessionPath = regexp.MustCompile(`^/api/1/projects/([^/]+)/builds/([^/]+)/sessions/([^/]+)/$`)

// sessionAnswer returns the REST API's response for a session, unless it is the session's
// log.
func sessionAnswer(u *url.URL) (answer map[string]any, ok bool) {
	ids := sessionPath.FindStringSubmatch(u.Path)
	if ids == nil {
		return nil, false
	}
	switch u.Query().Get("fields") {
	case "meta":
		return map[string]any{"status": "ok", "session": map[string]any{
			"projectId": ids[1], "buildId": ids[2], "id": ids[3],
			"recordedAt": "2015-07-01 17:20:00", "device": "samsung gt-i9100t", "duration": 60,
		}}, true
	case "events":
		return map[string]any{"status": "ok", "events": []map[string]any{
			{"time": 0.0, "name": "session started"}, {"time": 58.1, "name": "shake"}, {"time": 60.0, "name": "feedback sent"},
		}}, true
	}
	return nil, false
}

func isSessionLog(u *url.URL) bool {
	return u.Query().Get("fields") == "logs" && sessionPath.MatchString(u.Path)
}

// sessionLog returns the text of a session's log: about 20 KB, the same for the same seed.
func sessionLog(seed string) []byte {
	tags := []string{"ActivityManager", "DemoApp", "NetworkClient", "LayoutInflater", "GestureDetector"}
	messages := []string{"onResume", "request took %d ms", "measured %d views", "cache holds %d entries", "frame skipped by %d ms"}
	hash := hexSum([]byte(seed))
	var log strings.Builder
	for line := range 400 {
		n := int(hash[line%len(hash)]) + line
		message := messages[n%len(messages)]
		if strings.Contains(message, "%d") {
			message = fmt.Sprintf(message, 10+n)
		}
		fmt.Fprintf(&log, "2015-07-01 17:%02d:%02d.%03d D/%s: %s\n", 20+line/60, line%60, n*7%1000, tags[n%len(tags)], message)
	}
	return []byte(log.String())
}
