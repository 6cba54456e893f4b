package worker_test

import (
	"cmp"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"fairbridge/pkg/ledger"
	"fairbridge/pkg/queue"
	"fairbridge/pkg/testfairy"
	"fairbridge/pkg/testfairy/api"
	testfairysim "fairbridge/pkg/testfairy/simulator"
	"fairbridge/pkg/worker"
)

const (
	listPath = "/api/1/feedbacks/"
	// mine is TestFairy's id of the feedback that is reconciled.
	mine = "77"
)

// reconcile has TestFairy list a feedback with a screenshot whose URL is signed for a
// day, and sends it as 'fairbridge reconcile' does. writeDown reports whether the ledger
// knows of it.
func (w *world) reconcile(writeDown bool) (deliveryID string) {
	w.Helper()
	w.testfairy = testfairysim.New(testfairysim.Config{Account: testfairyUser, APIKey: testfairyKey, Signed: 24 * time.Hour, Now: w.clock.Now})
	w.testfairy.AddFeedback(testfairysim.Feedback{FeedbackID: mine, ScreenshotURL: "https://app.testfairy.com/1.jpg"})
	w.testfairy.AddFeedback(testfairysim.Feedback{FeedbackID: "78", ScreenshotURL: "https://app.testfairy.com/78.jpg"})
	request := httptest.NewRequestWithContext(w.Context(), "GET", listPath, nil)
	request.SetBasicAuth(testfairyUser, testfairyKey)
	answer := httptest.NewRecorder()
	w.testfairy.Handler().ServeHTTP(answer, request)
	listed, err := api.ReadFeedbacks(answer.Body.Bytes())
	w.must(err)
	payload := strings.Replace(feedback(1), `"event"`, `"reconciled":"`+mine+`","event"`, 1)
	payload = strings.Replace(payload, "https://app.testfairy.com/1.jpg", listed[1].ScreenshotURL, 1)
	event, err := testfairy.Decode([]byte(payload))
	w.must(err)
	if writeDown {
		w.must(w.ledger().Reconcile(w.Context(), event.Likeness(), ledger.Reconciled{Deliveries: map[string]string{"6": "another", mine: event.DeliveryID()}}))
	}
	return w.send(payload)
}

// The signature of a reconciled feedback's screenshot may have expired when its turn
// comes: TestFairy's list has one that is fresh, as long as it has the feedback.
func TestExpiredScreenshotIsAskedForAnew(t *testing.T) {
	const expired = "screenshot: the file's signed URL has expired"
	for name, tt := range map[string]struct {
		upset    func(*world)
		unknown  bool   // to the ledger
		says     string // of the dead letter; "" for none
		attempts int    // 0 is one
	}{
		"listed":           {},
		"with a new key":   {upset: func(w *world) { w.keys.testfairy.cached = "the old key" }},
		"listed later":     {upset: func(w *world) { w.testfairy.Inject(listPath, testfairysim.Fault{Times: 2, Status: 503}) }, attempts: 3},
		"the list breaks":  {upset: func(w *world) { w.testfairy.Inject(listPath, testfairysim.Fault{Times: 1, Drop: true, DropAfter: 40}) }, attempts: 2},
		"no longer listed": {upset: func(w *world) { w.pushOut() }, says: expired + ", and TestFairy no longer lists the feedback"},
		"the list is gone": {
			upset: func(w *world) { w.testfairy.Inject(listPath, testfairysim.Fault{Status: 410}) },
			says:  expired + ", and TestFairy's list of feedbacks cannot be read: the source answered HTTP 410",
		},
		"another answer": {
			upset: func(w *world) {
				w.testfairy.Inject(listPath, testfairysim.Fault{Status: 200, Header: map[string][]string{"Content-Type": {"text/plain"}}})
			},
			says: expired + ", and TestFairy's list of feedbacks cannot be read: the answer is not JSON",
		},
		"without a key": {
			upset: func(w *world) { w.keys.testfairy.cached = "" },
			says:  expired + ", and the secret testfairy-api-key, which TestFairy's list of feedbacks needs, is not stored",
		},
		"reconciled by nobody": {unknown: true, says: expired},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, parkRoute)
			id := w.reconcile(!tt.unknown)
			w.clock.Advance(25 * time.Hour)
			if tt.upset != nil {
				tt.upset(w)
			}
			outcomes := w.settle(nil)
			if len(outcomes) != cmp.Or(tt.attempts, 1) {
				t.Errorf("%d attempts: %+v", len(outcomes), outcomes)
			}
			if tt.says == "" {
				w.files(id, "screenshot")
			} else if l := w.onlyLetter(); l.Reason != queue.ReasonAttachmentSource || !strings.HasPrefix(l.Description, tt.says) {
				t.Errorf("dead letter %+v", l)
			}
			if last := outcomes[len(outcomes)-1]; (last.Result == worker.Created) != (tt.says == "") {
				t.Errorf("outcome %+v", last)
			}
			w.checkInvariants(id)
		})
	}
}

// pushOut has a hundred feedbacks come after those that are listed.
func (w *world) pushOut() {
	for range 100 {
		w.testfairy.AddFeedback(testfairysim.Feedback{FeedbackID: "later"})
	}
}
