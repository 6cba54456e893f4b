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
	// mine is TestFairy's id of the reconciled feedback.
	mine = "77"
)

// reconcile adds a feedback to TestFairy's list, with a screenshot whose URL is signed for
// a day, and sends it as 'fairbridge reconcile' does. record also records it in the ledger.
func (w *world) reconcile(record bool) (deliveryID string) {
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
	if record {
		w.must(w.ledger().Reconcile(w.Context(), event.Likeness(), ledger.Reconciled{Deliveries: map[string]string{"6": "another", mine: event.DeliveryID()}}))
	}
	return w.send(payload)
}

// TestExpiredScreenshotIsRenewed: the signature of a reconciled screenshot may have
// expired by the time it is fetched. TestFairy's list has a new one for as long as it has
// the feedback.
func TestExpiredScreenshotIsRenewed(t *testing.T) {
	const expired = "screenshot: the file's signed URL has expired"
	for name, tt := range map[string]struct {
		upset    func(*world)
		unknown  bool   // not recorded in the ledger
		text     string // of the dead letter; "" for none
		attempts int    // 0 is one
	}{
		"listed":           {},
		"with a new key":   {upset: func(w *world) { w.keys.testfairy.cached = "the old key" }},
		"listed later":     {upset: func(w *world) { w.testfairy.Inject(listPath, testfairysim.Fault{Times: 2, Status: 503}) }, attempts: 3},
		"the list breaks":  {upset: func(w *world) { w.testfairy.Inject(listPath, testfairysim.Fault{Times: 1, Drop: true, DropAfter: 40}) }, attempts: 2},
		"no longer listed": {upset: func(w *world) { w.pushOut() }, text: expired + ", and TestFairy no longer lists the feedback"},
		"the list is gone": {
			upset: func(w *world) { w.testfairy.Inject(listPath, testfairysim.Fault{Status: 410}) },
			text:  expired + ", and TestFairy's list of feedbacks cannot be read: the source answered HTTP 410",
		},
		"another answer": {
			upset: func(w *world) {
				w.testfairy.Inject(listPath, testfairysim.Fault{Status: 200, Header: map[string][]string{"Content-Type": {"text/plain"}}})
			},
			text: expired + ", and TestFairy's list of feedbacks cannot be read: the answer is not JSON",
		},
		"without a key": {
			upset: func(w *world) { w.keys.testfairy.cached = "" },
			text:  expired + ", and the secret testfairy-api-key, which TestFairy's list of feedbacks needs, is not stored",
		},
		"not reconciled": {unknown: true, text: expired},
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
			if tt.text == "" {
				w.files(id, "screenshot")
			} else if l := w.onlyLetter(); l.Reason != queue.ReasonAttachmentSource || !strings.HasPrefix(l.Description, tt.text) {
				t.Errorf("dead letter %+v", l)
			}
			if last := outcomes[len(outcomes)-1]; (last.Result == worker.Created) != (tt.text == "") {
				t.Errorf("outcome %+v", last)
			}
			w.checkInvariants(id)
		})
	}
}

// pushOut adds a hundred newer feedbacks, so that the list has no other.
func (w *world) pushOut() {
	for range 100 {
		w.testfairy.AddFeedback(testfairysim.Feedback{FeedbackID: "later"})
	}
}
