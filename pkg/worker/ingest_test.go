package worker_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"fairbridge/pkg/ingest"
	"fairbridge/pkg/secrets"
	"fairbridge/pkg/testfairy"
)

const webhookToken = "the-token-in-the-webhook"

type tokens struct{ ingest.Secrets }

func (tokens) Get(_ context.Context, name string) (string, error) {
	if name != secrets.WebhookToken {
		return "", secrets.ErrNotFound
	}
	return webhookToken, nil
}

type unreported struct{}

func (unreported) Report(context.Context, ingest.Outcome) {}

// webhook sends a webhook to an ingest whose calls fail as planned. answered is false if
// the process died, so that the sender gets no response.
func (w *world) webhook(payload string, p *plan) (answer events.APIGatewayV2HTTPResponse, answered bool) {
	w.Helper()
	proc := w.start(p)
	h, err := ingest.New(ingest.Config{
		QueueURL: w.work, Sender: faultyQueue{proc}, Secrets: tokens{}, Routes: w.config,
		Reporter: unreported{}, Now: w.clock.Now,
	})
	w.must(err)
	request := events.APIGatewayV2HTTPRequest{RawPath: ingest.Path, RawQueryString: "token=" + webhookToken, Body: payload}
	request.RequestContext.HTTP.Method = http.MethodPost
	answer, err = h.Handle(w.Context(), request)
	w.must(err)
	return answer, !proc.isDead()
}

// TestSendFaults makes ingest's only call, the send to the queue, fail in every way. A
// webhook answered with 202 is in the queue; without the queue's reply a webhook is never
// reported as accepted; and sending it again creates no second ticket.
func TestSendFaults(t *testing.T) {
	for _, form := range append([]form{""}, forms...) {
		for _, again := range []bool{false, true} {
			name := string(form)
			if name == "" {
				name = "no fault"
			}
			if again {
				name += ", sent again"
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, parkRoute)
				event, err := testfairy.Decode([]byte(feedback(1)))
				w.must(err)
				answer, answered := w.webhook(feedback(1), &plan{at: "sqs.SendMessage#1", form: form})
				queued := w.count(w.work)
				switch {
				case !answered: // no response, so no promise
				case form == "":
					if answer.StatusCode != http.StatusAccepted || queued != 1 {
						t.Errorf("answered %d, %d messages queued", answer.StatusCode, queued)
					}
				case answer.StatusCode != http.StatusServiceUnavailable || answer.Headers["Retry-After"] == "":
					t.Errorf("answered %d %v, want 503 with Retry-After", answer.StatusCode, answer.Headers)
				}
				happened := form == "" || form == replyLost || form == timesOutDone || form == diesDone
				if happened != (queued == 1) {
					t.Errorf("%d messages queued", queued)
				}
				if again {
					if answer, _ := w.webhook(feedback(1), nil); answer.StatusCode != http.StatusAccepted {
						t.Errorf("answered %d when sent again", answer.StatusCode)
					}
				}
				w.settle(nil)
				if happened || again {
					w.checkInvariants(event.DeliveryID())
				} else if n := len(w.center.Tickets()); n != 0 {
					t.Errorf("%d tickets of a webhook that was not accepted", n)
				}
				if n := w.count(w.dead); n != 0 {
					t.Errorf("%d dead letters", n)
				}
			})
		}
	}
}
