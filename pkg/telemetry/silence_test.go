package telemetry_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"fairbridge/pkg/ingest"
	"fairbridge/pkg/telemetry"
	"fairbridge/pkg/testfairy"
	"fairbridge/pkg/worker"
)

// TestOutcomesHaveNoRoomForPayloads fails when a field is added to an outcome, until it is
// reviewed here: it must not be able to hold a payload's text, an email or a secret.
func TestOutcomesHaveNoRoomForPayloads(t *testing.T) {
	fields := func(outcome any) (names []string) {
		for _, f := range reflect.VisibleFields(reflect.TypeOf(outcome)) {
			names = append(names, f.Name)
		}
		return names
	}
	reviewed := []string{"Result", "Status", "Kind", "DeliveryID", "Reason", "Odd", "Fields", "Err", "Bytes", "Took"}
	if got := fields(ingest.Outcome{}); !slices.Equal(got, reviewed) {
		t.Errorf("ingest.Outcome has the fields %v, reviewed are %v", got, reviewed)
	}
	reviewed = []string{"Result", "DeliveryID", "MessageID", "Kind", "TicketID", "Attempt", "Reason", "Stage", "Status",
		"RetryIn", "Attachments", "AttachmentBytes", "Skipped", "Age", "Took", "Files", "Hold", "Receipts", "Err", "Warning", "Stack"}
	if got := fields(worker.Outcome{}); !slices.Equal(got, reviewed) {
		t.Errorf("worker.Outcome has the fields %v, reviewed are %v", got, reviewed)
	}
}

// TestIngestLogsNothingOfTheRequest sends canaries through every response of ingest and
// looks for them in the log. Names of fields may be logged.
func TestIngestLogsNothingOfTheRequest(t *testing.T) {
	const feedback = `{"event":"feedback","text":"canary text","email":"canary@example.com"}`
	bodies := []string{
		feedback,
		`{"event":"canary","text":"canary"}`,
		`{"event":"feedback","email":"canary","screenshotUrl":"::canary","own":{"a":"canary"},"build":["canary"]}`,
		`{"event":["canary"]}`,
		`{"event":"feedback","text":"canary","email":nil}`,
		`canary`,
		base64.StdEncoding.EncodeToString([]byte(feedback)) + "canary",
		`{"event":"feedback","text":"` + strings.Repeat("canary", 200_000) + `"}`,
	}
	var out bytes.Buffer
	aws := &awsFake{}
	handler, err := ingest.New(ingest.Config{
		QueueURL: "https://sqs.example.com/1/work", Sender: aws, Secrets: aws, Routes: aws,
		Reporter: telemetry.Ingest{Log: telemetry.NewLogger(&out, "ingest", slog.LevelDebug)},
	})
	if err != nil {
		t.Fatal(err)
	}
	statuses := map[int]bool{}
	for _, body := range bodies {
		for _, query := range []string{"token=canary", "token=canary-wrong", "canary=1"} {
			for _, down := range []bool{false, true} {
				aws.down = down
				req := events.APIGatewayV2HTTPRequest{RawPath: ingest.Path, RawQueryString: query, Body: body, IsBase64Encoded: strings.HasSuffix(body, "=canary")}
				req.RequestContext.HTTP.Method = "POST"
				req.Headers = map[string]string{"user-agent": "canary"}
				res, err := handler.Handle(t.Context(), req)
				if err != nil {
					t.Fatal(err)
				}
				statuses[res.StatusCode] = true
			}
		}
	}
	for _, status := range []int{200, 202, 400, 401, 413, 503} {
		if !statuses[status] {
			t.Errorf("no request was answered %d: the test checks nothing", status)
		}
	}
	for line := range strings.Lines(out.String()) {
		if strings.Contains(line, "canary") {
			t.Errorf("a canary is in %s", line)
		}
	}
}

// awsFake fakes the queue, the secrets and the routes, which are either all up or all down.
type awsFake struct{ down bool }

var errDown = errors.New("service unavailable")

func (f *awsFake) err() error {
	if f.down {
		return errDown
	}
	return nil
}

func (f *awsFake) SendMessage(context.Context, *sqs.SendMessageInput, ...func(*sqs.Options)) (*sqs.SendMessageOutput, error) {
	return &sqs.SendMessageOutput{}, f.err()
}

func (f *awsFake) Get(context.Context, string) (string, error) { return "canary", nil }

func (f *awsFake) Fresh(context.Context, string, time.Duration) (string, error) {
	return "canary", f.err()
}

func (f *awsFake) Wants(k testfairy.Kind) bool { return k == testfairy.KindFeedback }
