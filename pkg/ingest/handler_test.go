package ingest_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"slices"
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
	if !reflect.DeepEqual(o, want) {
		t.Errorf("outcome %+v, want %+v", o, want)
	}
}

type request = events.APIGatewayV2HTTPRequest

// TestAnswers checks the response to each kind of request. Only those answered with 202 may
// queue anything.
func TestAnswers(t *testing.T) {
	exactly := strings.Replace(feedback, "sings", strings.Repeat("x", ingest.MaxPayloadBytes-len(feedback)+len("sings")), 1)
	tests := []struct {
		name   string
		body   string
		change func(*request)
		status int
		reason ingest.Reason
		names  []string // of the odd fields of an accepted payload, of all fields of a refused one
	}{
		{name: "accepted", body: feedback, status: 202},
		{name: "in base64", body: base64.StdEncoding.EncodeToString([]byte(feedback)), change: inBase64, status: 202},
		{name: "stage before the path", body: feedback, change: func(r *request) { r.RawPath, r.RequestContext.Stage = "/prod"+ingest.Path, "prod" }, status: 202},
		{name: "stage not before the path", body: feedback, change: func(r *request) { r.RequestContext.Stage = "prod" }, status: 202},
		{name: "token escaped", body: feedback, change: func(r *request) { r.RawQueryString = "a=b&token=%74ok-5c3b8f2e" }, status: 202},
		{name: "a slash at the end", body: feedback, change: func(r *request) { r.RawPath += "/" }, status: 202},
		{name: "control characters and broken UTF-8", body: "{\"event\":\"feedback\",\"text\":\"a\x00b\xffc\uFFFE\"}", status: 202},
		{name: "as long as may be", body: exactly, status: 202},
		{name: "as long as may be, in base64", body: base64.StdEncoding.EncodeToString([]byte(exactly)), change: inBase64, status: 202},
		{name: "compressed", body: compressed(feedback), change: header("content-encoding", "gzip"), status: 202},
		{name: "compressed, in base64", body: base64.StdEncoding.EncodeToString([]byte(compressed(feedback))), change: inBase64, status: 202},
		{name: "as long as may be once decompressed", body: compressed(exactly), status: 202},
		{name: "called compressed, and is not", body: feedback, change: header("content-encoding", "gzip"), status: 202},
		{name: "in capitals", body: `{"event":" FeedBack\n","text":"CANARY"}`, status: 202},
		{name: "an unknown kind with a route", body: `{"event":"Mood","email":7}`, status: 202},
		{name: "nested as deep as may be", body: `{"event":"feedback","text":"CANARY","a":` + strings.Repeat("[", 99) + strings.Repeat("]", 99) + `}`, status: 202},
		{name: "odd fields", body: `{"event":"feedback","text":"CANARY","email":"canary","screenshotUrl":"::canary","build":[1],"canary":{}}`, status: 202, names: []string{"build", "screenshotUrl", "email"}},
		{name: "blank text", body: `{"event":"feedback"}`, status: 202, names: []string{"text"}},

		{name: "kind no route wants", body: `{"event":"upload"}`, status: 200, reason: ingest.ReasonUnwanted},
		{name: "kind no route wants, with bad fields", body: `{"event":"crash","email":"nobody"}`, status: 200, reason: ingest.ReasonUnwanted},
		{name: "unknown kind", body: `{"event":"canary@example.com"}`, status: 200, reason: ingest.ReasonUnwanted},
		{name: "no event", body: `{"text":"CANARY"}`, status: 200, reason: ingest.ReasonNoEvent},
		{name: "nothing in it", body: `{}`, status: 200, reason: ingest.ReasonNoEvent},
		{name: "event not a string", body: `{"event":7}`, status: 200, reason: ingest.ReasonNoEvent},

		{name: "not JSON", body: `event=feedback`, status: 400, reason: ingest.ReasonNotJSON},
		{name: "empty", body: ``, status: 400, reason: ingest.ReasonNotJSON},
		{name: "an array", body: `[` + feedback + `]`, status: 400, reason: ingest.ReasonNotJSON},
		{name: "something after it", body: feedback + `x`, status: 400, reason: ingest.ReasonNotJSON, names: []string{"event", "text", "email"}},
		{name: "cut off", body: feedback[:40], status: 400, reason: ingest.ReasonNotJSON, names: []string{"event", "text"}},
		{name: "nested too deep", body: `{"event":"feedback","text":"CANARY","a":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`, status: 400,
			reason: ingest.ReasonTooDeep, names: []string{"event", "text", "a"}},
		{name: "not base64", body: "%%%", change: inBase64, status: 400, reason: ingest.ReasonBadBase64},
		{name: "not gzip after all", body: "\x1f\x8bCANARY", status: 400, reason: ingest.ReasonBadGzip},
		{name: "compressed, and cut off", body: compressed(feedback)[:40], status: 400, reason: ingest.ReasonBadGzip},

		{name: "no token", body: feedback, change: query(""), status: 401, reason: ingest.ReasonNoToken},
		{name: "empty token", body: feedback, change: query("token="), status: 401, reason: ingest.ReasonNoToken},
		{name: "wrong token", body: feedback, change: query("token=" + goodToken + "x"), status: 401, reason: ingest.ReasonWrongToken},
		{name: "two tokens", body: feedback, change: query("token=" + goodToken + "&token=" + goodToken), status: 401, reason: ingest.ReasonWrongToken},
		{name: "token next to a broken one", body: feedback, change: query("token=" + goodToken + "&token=%zz"), status: 401, reason: ingest.ReasonWrongToken},
		{name: "token in a header", body: feedback, change: func(r *request) { query("")(r); header("token", goodToken)(r) }, status: 401, reason: ingest.ReasonNoToken},

		{name: "another path", body: feedback, change: func(r *request) { r.RawPath = "/" }, status: 404, reason: ingest.ReasonUnknownPath},
		{name: "a longer path", body: feedback, change: func(r *request) { r.RawPath += "/x" }, status: 404, reason: ingest.ReasonUnknownPath},
		{name: "two slashes at the end", body: feedback, change: func(r *request) { r.RawPath += "//" }, status: 404, reason: ingest.ReasonUnknownPath},
		{name: "another stage's path", body: feedback, change: func(r *request) { r.RawPath = "/dev" + r.RawPath; r.RequestContext.Stage = "prod" }, status: 404, reason: ingest.ReasonUnknownPath},
		{name: "GET", change: method("GET"), status: 405, reason: ingest.ReasonMethod},
		{name: "HEAD", change: method("HEAD"), status: 405, reason: ingest.ReasonMethod},
		{name: "OPTIONS without a token", change: func(r *request) { method("OPTIONS")(r); query("")(r) }, status: 405, reason: ingest.ReasonMethod},

		{name: "too long", body: exactly + " ", status: 413, reason: ingest.ReasonTooLarge},
		{name: "declared as too long", body: feedback, change: header("content-length", "1000001"), status: 413, reason: ingest.ReasonTooLarge},
		{name: "too long, in base64", body: base64.StdEncoding.EncodeToString([]byte(exactly + " ")), change: inBase64, status: 413, reason: ingest.ReasonTooLarge},
		{name: "too long and not base64: not decoded", body: strings.Repeat("%", 1_400_000), change: inBase64, status: 413, reason: ingest.ReasonTooLarge},
		{name: "too long once decompressed", body: compressed(exactly + " "), status: 413, reason: ingest.ReasonTooLarge},
		{name: "much too long once decompressed", body: compressed(strings.Repeat("x", 50<<20)), status: 413, reason: ingest.ReasonTooLarge},
		{name: "too long once escaped", body: `{"event":"feedback","text":"` + strings.Repeat("\x00", 400_000) + `"}`, status: 413, reason: ingest.ReasonTooLargeForQueue, names: []string{"event", "text"}},
		{name: "too long and without a token", body: exactly + " ", change: query(""), status: 401, reason: ingest.ReasonNoToken},
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
			if o.Reason != tt.reason {
				t.Errorf("the reason is %q, want %q", o.Reason, tt.reason)
			}
			if names := slices.Concat(o.Odd, o.Fields); !slices.Equal(names, tt.names) {
				t.Errorf("the outcome names %q, want %q", names, tt.names)
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
				checkReceipt(t, res, tt.names)
			default:
				checkProblem(t, res)
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
			checkProblem(t, res)
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

// checkSilence checks that neither the response nor the outcome contains the token, the
// text or the email.
func checkSilence(t *testing.T, res events.APIGatewayV2HTTPResponse, o ingest.Outcome) {
	t.Helper()
	all := fmt.Sprintf("%v %+v", res, o)
	for _, secret := range []string{goodToken, "CANARY", "canary"} {
		if strings.Contains(all, secret) {
			t.Errorf("%q is in %s", secret, all)
		}
	}
}

// checkProblem checks the body against RFC 9457.
func checkProblem(t *testing.T, res events.APIGatewayV2HTTPResponse) {
	t.Helper()
	var doc struct {
		Type, Title, Detail string
		Status              int
	}
	if err := json.Unmarshal([]byte(res.Body), &doc); err != nil {
		t.Fatalf("body is not JSON: %v: %s", err, res.Body)
	}
	if doc.Type != "about:blank" || doc.Title != http.StatusText(res.StatusCode) || doc.Status != res.StatusCode || doc.Detail == "" {
		t.Errorf("problem %+v with status %d", doc, res.StatusCode)
	}
}

// checkReceipt checks that the response names the odd fields, with reasons.
func checkReceipt(t *testing.T, res events.APIGatewayV2HTTPResponse, odd []string) {
	t.Helper()
	var doc struct {
		DeliveryID string
		Warnings   []struct{ Detail, Pointer string }
	}
	if err := json.Unmarshal([]byte(res.Body), &doc); err != nil || len(doc.DeliveryID) != 64 {
		t.Fatalf("%v: %s", err, res.Body)
	}
	var named []string
	for _, w := range doc.Warnings {
		name := strings.TrimPrefix(w.Pointer, "#/")
		if !strings.HasPrefix(w.Detail, name+" is ") {
			t.Errorf("%s: %q", w.Pointer, w.Detail)
		}
		named = append(named, name)
	}
	if !slices.Equal(named, odd) {
		t.Errorf("the answer names %q, want %q", named, odd)
	}
}

func inBase64(r *request) { r.IsBase64Encoded = true }

func query(q string) func(*request) { return func(r *request) { r.RawQueryString = q } }

func method(m string) func(*request) { return func(r *request) { r.RequestContext.HTTP.Method = m } }

func header(name, value string) func(*request) {
	return func(r *request) { r.Headers = map[string]string{name: value} }
}

func compressed(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = io.WriteString(w, text) // a recorder's write does not fail
	_ = w.Close()
	return b.String()
}
