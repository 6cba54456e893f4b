package worker_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"fairbridge/pkg/queue"
	testfairysim "fairbridge/pkg/testfairy/simulator"
	"fairbridge/pkg/worker"
)

// loginRoute uses the account for the screenshot and the session.
var loginRoute = strings.Replace(logRoute, "element: screenshot", "element: screenshot, auth: testfairy", 1)

// behindLogin makes TestFairy serve its files to the account only.
func behindLogin(w *world) {
	w.testfairy = testfairysim.New(testfairysim.Config{Account: testfairyUser, APIKey: testfairyKey, RequireLogin: true})
}

// TestBehindTheLogin checks that a screenshot behind TestFairy's login is fetched with the
// account, and that its sign-in page is never attached instead.
func TestBehindTheLogin(t *testing.T) {
	w := newWorld(t, loginRoute, behindLogin)
	id := w.send(feedback(1))
	if o := w.only(w.settle(nil)); o.Result != worker.Created || o.Attachments != 2 {
		t.Errorf("outcome %+v", o)
	}
	w.checkInvariants(id)
	files := w.tickets(id)[0].Files
	if len(files) != 2 || files[0].ContentType != "image/jpeg" || files[1].Name != "session-1.log" ||
		!strings.HasPrefix(files[1].ContentType, "text/plain") {
		t.Errorf("files %+v", files)
	}

	w = newWorld(t, parkRoute, behindLogin)
	id = w.send(feedback(1))
	w.settle(nil)
	if l := w.onlyLetter(); l.Reason != queue.ReasonAttachmentSource || !strings.Contains(l.Description, "sign-in") {
		t.Errorf("dead letter %+v", l)
	}
	w.files(id)
	w.checkInvariants(id)
}

// TestWrongTestFairyKey checks that a refused key is reread, at most once an attempt. If it
// stays wrong, no file fails for good if the source reports that the key is the reason.
func TestWrongTestFairyKey(t *testing.T) {
	for _, route := range []string{logRoute, loginRoute} {
		w := newWorld(t, route, behindLoginIf(route == loginRoute))
		w.keys.testfairy.cached = "the old key"
		id := w.send(feedback(1))
		if o := w.only(w.settle(nil)); o.Result != worker.Created || o.Attachments != 2 {
			t.Errorf("outcome %+v", o)
		}
		w.checkInvariants(id)
	}

	w := newWorld(t, strings.Replace(logRoute, "session: log", "session: events", 1))
	w.keys.testfairy.cached, w.keys.testfairy.stored = "the old key", "another wrong one"
	id := w.send(feedback(1))
	if o := w.only(w.once()); o.Result != worker.Retry || o.Status != 401 || o.Stage != "attach" {
		t.Errorf("outcome %+v", o)
	}
	w.keys.testfairy.stored = testfairyKey
	if o := w.only(w.settle(nil)); o.Result != worker.Created || o.Attachments != 1 {
		t.Errorf("outcome %+v", o)
	}
	w.checkInvariants(id)
}

func behindLoginIf(required bool) option {
	if required {
		return behindLogin
	}
	return func(*world) {}
}

// TestPayloadCannotReadTheAccount: anyone who knows the webhook's URL chooses the payload's
// URLs, so these cannot reach the REST API with the account.
func TestPayloadCannotReadTheAccount(t *testing.T) {
	w := newWorld(t, strings.Replace(loginRoute, "auth: testfairy", "auth: testfairy, want: file", 1))
	w.testfairy.AddFeedback(testfairysim.Feedback{Text: "somebody else's"})
	id := w.send(strings.Replace(feedback(1), "/1.jpg", "/api/1/feedbacks/", 1))
	w.settle(nil)
	if l := w.onlyLetter(); l.Reason != queue.ReasonAttachmentSource || !strings.HasPrefix(l.Description, "screenshot: the source's address is not allowed: it belongs to TestFairy's REST API") {
		t.Errorf("dead letter %+v", l)
	}
	w.files(id)
}

// TestSessionParts checks that the log is text and the rest is JSON, and that each has its
// name.
func TestSessionParts(t *testing.T) {
	var parts strings.Builder
	for i, part := range []string{"log", "meta", "events"} {
		fmt.Fprintf(&parts, "      - {session: %s, element: e%d}\n", part, i)
	}
	w := newWorld(t, forFeedback+"    attachments:\n"+strings.ReplaceAll(parts.String(), "}\n",
		", endpoint: \"/api/v1/projects/DEMO/feedback/{{ .ticketId }}/files/x\"}\n"))
	id := w.send(feedback(1))
	w.settle(nil)
	var got []string
	for _, f := range w.tickets(id)[0].Files {
		got = append(got, f.Name+" "+strings.Split(f.ContentType, ";")[0])
	}
	want := []string{"session-1.log text/plain", "session-1-meta.json application/json", "session-1-events.json application/json"}
	if !slices.Equal(got, want) {
		t.Errorf("files %q, want %q", got, want)
	}
	if w.count(w.dead) != 0 {
		t.Errorf("dead letters: %+v", w.letters())
	}
}
