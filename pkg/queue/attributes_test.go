package queue

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
)

func TestDeadLetterRoundTrip(t *testing.T) {
	want := DeadLetter{
		DeliveryID: id, Event: "feedback", Reason: ReasonRejected, Stage: "create", Status: 400,
		Description: "Invalid submitter.", Attempts: 3, Generation: 2, Replays: 1,
		FailedAt: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
	}
	attrs := want.Attributes()
	if len(attrs) > 10 {
		t.Errorf("%d attributes, SQS allows 10", len(attrs))
	}
	if got := ParseDeadLetter(attrs); got != want {
		t.Errorf("decoded as %+v", got)
	}
}

func TestEmptyValuesAreLeftOut(t *testing.T) {
	for name, a := range (DeadLetter{Reason: ReasonMalformed}).Attributes() {
		if aws.ToString(a.StringValue) == "" {
			t.Errorf("attribute %s is empty, which SQS rejects", name)
		}
	}
}

func TestDescribe(t *testing.T) {
	long := strings.Repeat("é", MaxDescription+1)
	for _, tc := range []struct{ name, in, want string }{
		{"as it is", "Invalid submitter.", "Invalid submitter."},
		{"lines are joined", " a\r\nb\tc ", "a  b c"},
		{"what SQS refuses", "a\x00b\uFFFEc\xffd", "abc\uFFFDd"},
		{"too long", long, strings.Repeat("é", MaxDescription-1) + "…"},
	} {
		got := Describe(tc.in)
		if got != tc.want || utf8.RuneCountInString(got) > MaxDescription {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
	}
}

func TestCounts(t *testing.T) {
	of := func(s string) map[string]events.SQSMessageAttribute {
		n := events.SQSMessageAttribute{DataType: "Number", StringValue: &s}
		return map[string]events.SQSMessageAttribute{"generation": n, "replays": n}
	}
	for _, tc := range []struct {
		attrs  map[string]events.SQSMessageAttribute
		want   int
		marked bool
	}{{nil, 0, false}, {of("0"), 0, true}, {of("2"), 2, true}, {of("-1"), 0, false}, {of("x"), 0, false}} {
		generation, marked := Generation(tc.attrs)
		if replays := Replays(tc.attrs); generation != tc.want || marked != tc.marked || replays != tc.want {
			t.Errorf("%v: generation %d (%t), %d replays, want %d (%t)", tc.attrs, generation, marked, replays, tc.want, tc.marked)
		}
	}
}
