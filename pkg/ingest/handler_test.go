package ingest_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"

	"fairbridge/pkg/ingest"
	"fairbridge/pkg/queue"
	"fairbridge/pkg/testfairy"
)

func TestAcceptedIsInTheQueue(t *testing.T) {
	b := newBench(t)
	res, o := b.send(t, post(feedback))

	event, err := testfairy.Decode([]byte(feedback))
	if err != nil {
		t.Fatal(err)
	}
	id := event.DeliveryID()
	if want := fmt.Sprintf(`{"deliveryId":%q}`, id); res.StatusCode != http.StatusAccepted || res.Body != want {
		t.Errorf("answer %d %s, want 202 %s", res.StatusCode, res.Body, want)
	}
	checkHeaders(t, res)
	if len(b.queue.sent) != 1 {
		t.Fatalf("%d messages in the queue, want 1", len(b.queue.sent))
	}
	message := b.queue.sent[0]
	if got := aws.ToString(message.QueueUrl); got != "https://sqs.example.com/1/work" {
		t.Errorf("queue %q", got)
	}
	envelope, err := queue.Decode(aws.ToString(message.MessageBody))
	if err != nil {
		t.Fatal(err)
	}
	if envelope.DeliveryID != id || !envelope.ReceivedAt.Equal(start) || string(envelope.Event) != feedback {
		t.Errorf("envelope %+v with event %s", envelope, envelope.Event)
	}
	for name, want := range map[string]string{"deliveryId": id, "event": "feedback"} {
		attr := message.MessageAttributes[name]
		if aws.ToString(attr.StringValue) != want || aws.ToString(attr.DataType) != "String" {
			t.Errorf("attribute %s is %q of type %q, want %q", name, aws.ToString(attr.StringValue), aws.ToString(attr.DataType), want)
		}
	}
	want := ingest.Outcome{Result: ingest.Accepted, Status: 202, Kind: testfairy.KindFeedback, DeliveryID: id, Bytes: len(feedback)}
	if o != want {
		t.Errorf("outcome %+v, want %+v", o, want)
	}
}

// TestAnswers holds every kind of request against its answer. None of them may
// leave anything in the queue but those that are answered 202.
func TestAnswers(t *testing.T) {
	type request = events.APIGatewayV2HTTPRequest
	exactly := strings.Replace(feedback, "sings", strings.Repeat("x", ingest.MaxPayloadBytes-len(feedback)+len("sings")), 1)
	tests := []struct {
		name    string
		body    string
		change  func(*request)
		status  int
		problem string // in the outcome
		fields  []string
	}{
		{name: "accepted", body: feedback, status: 202},
		{name: "in base64", body: base64.StdEncoding.EncodeToString([]byte(feedback)), change: func(r *request) { r.IsBase64Encoded = true }, status: 202},
		{name: "stage before the path", body: feedback, change: func(r *request) { r.RawPath, r.RequestContext.Stage = "/prod"+ingest.Path, "prod" }, status: 202},
		{name: "stage not before the path", body: feedback, change: func(r *request) { r.RequestContext.Stage = "prod" }, status: 202},
		{name: "token escaped", body: feedback, change: func(r *request) { r.RawQueryString = "a=b&token=%74ok-5c3b8f2e" }, status: 202},
		{name: "control characters and broken UTF-8", body: "{\"event\":\"feedback\",\"text\":\"a\x00b\xffc\uFFFE\"}", status: 202},
		{name: "as long as may be", body: exactly, status: 202},
		{name: "as long as may be, in base64", body: base64.StdEncoding.EncodeToString([]byte(exactly)), change: func(r *request) { r.IsBase64Encoded = true }, status: 202},

		{name: "kind no route wants", body: `{"event":"upload"}`, status: 200, problem: "no route wants this kind"},
		{name: "kind no route wants, with bad fields", body: `{"event":"crash","email":"nobody"}`, status: 200, problem: "no route wants this kind"},
		{name: "unknown kind", body: `{"event":"canary@example.com"}`, status: 200, problem: "no route wants this kind"},
		{name: "unknown kind that a route names", body: `{"event":"new-udid"}`, status: 200, problem: "no route wants this kind"},

		{name: "not JSON", body: `event=feedback`, status: 400, problem: "not a JSON object"},
		{name: "empty", body: ``, status: 400, problem: "not a JSON object"},
		{name: "an array", body: `[` + feedback + `]`, status: 400, problem: "not a JSON object"},
		{name: "something after it", body: feedback + `x`, status: 400, problem: "not a JSON object"},
		{name: "no event", body: `{"text":"CANARY"}`, status: 400, problem: "invalid fields: event", fields: []string{"#/event"}},
		{name: "event not a string", body: `{"event":7}`, status: 400, problem: "invalid fields: event", fields: []string{"#/event"}},
		{name: "several bad fields", body: `{"event":"feedback","text":"CANARY","email":"nobody","screenshotUrl":"::canary","build":[1]}`, status: 400,
			problem: "invalid fields: build, screenshotUrl, email", fields: []string{"#/build", "#/screenshotUrl", "#/email"}},
		{name: "not base64", body: "%%%", change: func(r *request) { r.IsBase64Encoded = true }, status: 400, problem: "invalid base64"},

		{name: "no token", body: feedback, change: func(r *request) { r.RawQueryString = "" }, status: 401, problem: "missing or wrong token"},
		{name: "empty token", body: feedback, change: func(r *request) { r.RawQueryString = "token=" }, status: 401, problem: "missing or wrong token"},
		{name: "wrong token", body: feedback, change: func(r *request) { r.RawQueryString += "x" }, status: 401, problem: "missing or wrong token"},
		{name: "two tokens", body: feedback, change: func(r *request) { r.RawQueryString += "&" + r.RawQueryString }, status: 401, problem: "missing or wrong token"},
		{name: "token beside a broken one", body: feedback, change: func(r *request) { r.RawQueryString += "&token=%zz" }, status: 401, problem: "missing or wrong token"},
		{name: "token in a header", body: feedback, change: func(r *request) { r.RawQueryString, r.Headers = "", map[string]string{"token": goodToken} }, status: 401, problem: "missing or wrong token"},

		{name: "another path", body: feedback, change: func(r *request) { r.RawPath = "/" }, status: 404, problem: "unknown path"},
		{name: "a longer path", body: feedback, change: func(r *request) { r.RawPath += "/" }, status: 404, problem: "unknown path"},
		{name: "another stage's path", body: feedback, change: func(r *request) { r.RawPath = "/dev" + r.RawPath; r.RequestContext.Stage = "prod" }, status: 404, problem: "unknown path"},
		{name: "GET", change: func(r *request) { r.RequestContext.HTTP.Method = "GET" }, status: 405, problem: "method not allowed"},
		{name: "HEAD", change: func(r *request) { r.RequestContext.HTTP.Method = "HEAD" }, status: 405, problem: "method not allowed"},
		{name: "OPTIONS without a token", change: func(r *request) { r.RequestContext.HTTP.Method, r.RawQueryString = "OPTIONS", "" }, status: 405, problem: "method not allowed"},

		{name: "too long", body: exactly + " ", status: 413, problem: "payload too large"},
		{name: "too long, in base64", body: base64.StdEncoding.EncodeToString([]byte(exactly + " ")), change: func(r *request) { r.IsBase64Encoded = true }, status: 413, problem: "payload too large"},
		{name: "too long and not base64: not decoded", body: strings.Repeat("%", 1_400_000), change: func(r *request) { r.IsBase64Encoded = true }, status: 413, problem: "payload too large"},
		{name: "too long once escaped", body: `{"event":"feedback","text":"` + strings.Repeat("\x00", 400_000) + `"}`, status: 413, problem: "payload too large for the queue"},
		{name: "too long and without a token", body: exactly + " ", change: func(r *request) { r.RawQueryString = "" }, status: 401, problem: "missing or wrong token"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t)
			req := post(tt.body)
			if tt.change != nil {
				tt.change(&req)
			}
			res, o := b.send(t, req)
			if res.StatusCode != tt.status || o.Status != tt.status {
				t.Fatalf("status %d (outcome %d), want %d: %s", res.StatusCode, o.Status, tt.status, res.Body)
			}
			checkHeaders(t, res)
			checkSilence(t, res, o)
			if queued := len(b.queue.sent); queued != 0 != (tt.status == 202) {
				t.Errorf("%d messages in the queue after a %d", queued, tt.status)
			}
			if o.Problem != tt.problem {
				t.Errorf("outcome says %q, want %q", o.Problem, tt.problem)
			}
			want := map[int]ingest.Result{202: ingest.Accepted, 200: ingest.Ignored}[tt.status]
			if want == "" {
				want = ingest.Rejected
			}
			if o.Result != want {
				t.Errorf("result %q, want %q", o.Result, want)
			}
			switch tt.status {
			case 200:
				if res.Body != `{"status":"ignored"}` {
					t.Errorf("body %s", res.Body)
				}
			case 202:
			default:
				checkProblem(t, res, tt.fields)
			}
			if allow := res.Headers["Allow"]; (allow == "POST") != (tt.status == 405) {
				t.Errorf("Allow: %q with a %d", allow, tt.status)
			}
		})
	}
}

func TestQueueRefuses(t *testing.T) {
	tests := map[string]func(context.Context) error{
		"refused": func(context.Context) error { return errors.New("ServiceUnavailable") },
		"too slow": func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		},
	}
	for name, fail := range tests {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.queue.fail = fail
			if name == "too slow" { // do not wait for the handler's own limit
				ctx, cancel := context.WithTimeout(b.ctx, time.Millisecond)
				defer cancel()
				b.ctx = ctx
			}
			res, o := b.send(t, post(feedback))
			if res.StatusCode != 503 || res.Headers["Retry-After"] != "10" {
				t.Errorf("answer %d with Retry-After %q, want 503 and 10", res.StatusCode, res.Headers["Retry-After"])
			}
			checkProblem(t, res, nil)
			if o.Result != ingest.Failed || o.Err == nil || o.DeliveryID == "" {
				t.Errorf("outcome %+v, want failed, with its cause and delivery id", o)
			}
		})
	}
}

func TestConfigMustBeComplete(t *testing.T) {
	if _, err := ingest.New(ingest.Config{QueueURL: "https://sqs.example.com/1/work"}); err == nil {
		t.Error("a config without a sender was accepted")
	}
}

func checkHeaders(t *testing.T, res events.APIGatewayV2HTTPResponse) {
	t.Helper()
	contentType := "application/problem+json"
	if res.StatusCode < 300 {
		contentType = "application/json"
	}
	for name, want := range map[string]string{"Content-Type": contentType, "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"} {
		if got := res.Headers[name]; got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

// checkSilence holds that nothing of the token, the text or the email is in the
// answer or in the outcome.
func checkSilence(t *testing.T, res events.APIGatewayV2HTTPResponse, o ingest.Outcome) {
	t.Helper()
	said := fmt.Sprintf("%v %+v", res, o)
	for _, secret := range []string{goodToken, "CANARY", "canary"} {
		if strings.Contains(said, secret) {
			t.Errorf("%q is in %s", secret, said)
		}
	}
}

// checkProblem holds the body against RFC 9457.
func checkProblem(t *testing.T, res events.APIGatewayV2HTTPResponse, fields []string) {
	t.Helper()
	var doc struct {
		Type, Title, Detail string
		Status              int
		Errors              []struct{ Detail, Pointer string }
	}
	if err := json.Unmarshal([]byte(res.Body), &doc); err != nil {
		t.Fatalf("body is not JSON: %v: %s", err, res.Body)
	}
	if doc.Type != "about:blank" || doc.Title != http.StatusText(res.StatusCode) || doc.Status != res.StatusCode || doc.Detail == "" {
		t.Errorf("problem %+v with status %d", doc, res.StatusCode)
	}
	var pointers []string
	for _, e := range doc.Errors {
		if e.Detail == "" {
			t.Errorf("%s has no detail", e.Pointer)
		}
		pointers = append(pointers, e.Pointer)
	}
	if fmt.Sprint(pointers) != fmt.Sprint(fields) {
		t.Errorf("errors name %v, want %v", pointers, fields)
	}
}
