package home

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"go.yaml.in/yaml/v4"

	"fairbridge/pkg/ingest"
	"fairbridge/pkg/telemetry"
)

// logFake returns the lines of log groups, one a page, with empty pages in between, as
// CloudWatch does.
type logFake struct {
	t     *testing.T
	lines map[string][]string
	since int64
}

var logStart = time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)

func (f *logFake) FilterLogEvents(_ context.Context, in *cloudwatchlogs.FilterLogEventsInput, _ ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.FilterLogEventsOutput, error) {
	f.since = aws.ToInt64(in.StartTime)
	lines, known := f.lines[aws.ToString(in.LogGroupName)]
	if !known {
		return nil, &types.ResourceNotFoundException{}
	}
	page := len(aws.ToString(in.NextToken))
	out := &cloudwatchlogs.FilterLogEventsOutput{}
	if page < 2*len(lines) {
		out.NextToken = aws.String(strings.Repeat("x", page+1))
	}
	if page%2 == 1 {
		at := logStart.Add(time.Duration(page) * time.Second).UnixMilli()
		out.Events = []types.FilteredLogEvent{{Message: aws.String(lines[page/2]), Timestamp: aws.Int64(at)}}
	}
	return out, nil
}

// outcomeLine returns the line that the ingest function logs.
func outcomeLine(t *testing.T, o ingest.Outcome) string {
	t.Helper()
	var out bytes.Buffer
	telemetry.Ingest{Log: telemetry.NewLogger(&out, "ingest", slog.LevelInfo)}.Report(t.Context(), o)
	return out.String()
}

// accessLine returns the line that API Gateway logs, as configured in the template.
func accessLine(t *testing.T, status, integrationError string) string {
	t.Helper()
	text, err := os.ReadFile("../../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var template struct {
		Resources struct {
			WebhookApi struct {
				Properties struct {
					AccessLogSettings struct {
						Format string `yaml:"Format"`
					} `yaml:"AccessLogSettings"`
				} `yaml:"Properties"`
			} `yaml:"WebhookApi"`
		} `yaml:"Resources"`
	}
	if err := yaml.Unmarshal(text, &template); err != nil {
		t.Fatal(err)
	}
	format := template.Resources.WebhookApi.Properties.AccessLogSettings.Format
	return strings.NewReplacer("$context.status", status, "$context.integrationErrorMessage", integrationError).Replace(format)
}

func TestRefusedOfAStack(t *testing.T) {
	fake := &logFake{t: t, lines: map[string][]string{
		"/aws/lambda/prod-ingest": {
			outcomeLine(t, ingest.Outcome{Result: ingest.Rejected, Status: 401, Reason: ingest.ReasonWrongToken, Bytes: 563}),
			outcomeLine(t, ingest.Outcome{Result: ingest.Rejected, Status: 400, Reason: ingest.ReasonTooDeep, Bytes: 17, Fields: []string{"event", "text"}}),
			outcomeLine(t, ingest.Outcome{Result: ingest.Rejected, Status: 401, Reason: ingest.ReasonWrongToken, Bytes: 564}),
		},
		"/aws/vendedlogs/prod-access": {accessLine(t, "429", "-"), accessLine(t, "503", "Service Unavailable")},
	}}
	now := logStart.Add(time.Hour)
	got, err := logRefusals{logs: fake, stack: "prod", now: func() time.Time { return now }}.Refused(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	at := func(n int) time.Time { return logStart.Add(time.Duration(n) * time.Second) }
	want := ingest.Refused{
		Last: []ingest.Refusal{
			{At: at(5), Status: 401, Reason: ingest.ReasonWrongToken, Bytes: 564},
			{At: at(3), Status: 400, Reason: ingest.ReasonTooDeep, Bytes: 17, Fields: []string{"event", "text"}},
			{At: at(3), Status: 503, Reason: ingest.ReasonHandlerFailed},
			{At: at(1), Status: 401, Reason: ingest.ReasonWrongToken, Bytes: 563},
			{At: at(1), Status: 429, Reason: ingest.ReasonTooManyRequests},
		},
		Counts: []ingest.RefusalCount{
			{Status: 400, Reason: ingest.ReasonTooDeep, Count: 1, Last: at(3)},
			{Status: 401, Reason: ingest.ReasonWrongToken, Count: 2, Last: at(5)},
			{Status: 429, Reason: ingest.ReasonTooManyRequests, Count: 1, Last: at(1)},
			{Status: 503, Reason: ingest.ReasonHandlerFailed, Count: 1, Last: at(3)},
		},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
	if since := time.UnixMilli(fake.since); now.Sub(since) != 7*24*time.Hour {
		t.Errorf("reads since %s", since)
	}
}

func TestRefusedFailsLoudly(t *testing.T) {
	endless := make([]string, refusedPages)
	for i := range endless {
		endless[i] = "{}"
	}
	for name, tc := range map[string]struct {
		lines []string
		text  string
	}{
		"no access log":   {nil, "prod-access"},
		"too large a log": {endless, errLogTooLarge.Error()},
	} {
		fake := &logFake{t: t, lines: map[string][]string{"/aws/lambda/prod-ingest": tc.lines}}
		_, err := logRefusals{logs: fake, stack: "prod", now: time.Now}.Refused(t.Context())
		if err == nil || !strings.Contains(err.Error(), tc.text) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestRefusedIgnoresOtherLines checks that other lines are ignored: Lambda writes its
// own into the function's log, and an emulator does not support filter patterns.
func TestRefusedIgnoresOtherLines(t *testing.T) {
	fake := &logFake{t: t, lines: map[string][]string{
		"/aws/lambda/prod-ingest":     {"START RequestId: x", `{"level":"INFO","result":"accepted"}`, ""},
		"/aws/vendedlogs/prod-access": {`{"status":"202"}`, `{"status":"-"}`},
	}}
	got, err := logRefusals{logs: fake, stack: "prod", now: time.Now}.Refused(t.Context())
	if err != nil || len(got.Last) > 0 || len(got.Counts) > 0 {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestSummariseLeavesStrangersOut(t *testing.T) {
	var all []ingest.Refusal
	for n := range 300 {
		all = append(all, ingest.Refusal{At: logStart.Add(time.Duration(n+2) * time.Second), Status: 404, Reason: ingest.ReasonUnknownPath})
	}
	lost := ingest.Refusal{At: logStart, Status: 413, Reason: ingest.ReasonTooLarge}
	got := summarise(append(all, lost))
	if len(got.Last) != 100 || !reflect.DeepEqual(got.Last[99], lost) || !got.Last[0].At.Equal(logStart.Add(301*time.Second)) || got.Counts[0].Count != 300 {
		t.Errorf("%d, the last %+v, counts %+v", len(got.Last), got.Last[len(got.Last)-1], got.Counts)
	}
}

func TestRefusedProblem(t *testing.T) {
	h := &Home{Place: Place{Folder: DefaultFolder}}
	now := logStart.Add(25 * time.Hour)
	old := ingest.Refusal{At: logStart, Status: 401, Reason: ingest.ReasonWrongToken}
	stranger := ingest.Refusal{At: now, Status: 404, Reason: ingest.ReasonUnknownPath}
	lost := ingest.Refusal{At: now, Status: 400, Reason: ingest.ReasonNotJSON}
	rotated := ingest.Refusal{At: now, Status: 401, Reason: ingest.ReasonWrongToken}
	for want, last := range map[string][]ingest.Refusal{
		"": {old, stranger},
		"1 webhook refused in the last 24 hours: fairbridge status --refused": {old, stranger, lost},
		"2 webhooks with a wrong token in the last 24 hours: if the token was changed, give TestFairy the new URL (fairbridge webhook register); fairbridge status --refused shows them": {rotated, lost, rotated},
	} {
		if got := h.refusedProblem(ingest.Refused{Last: last}, now); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
