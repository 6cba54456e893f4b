package home

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/dustin/go-humanize/english"

	"fairbridge/pkg/ingest"
)

// Refusals reads the refused webhooks.
type Refusals interface {
	// Refused returns the last hundred, and counts.
	Refused(context.Context) (ingest.Refused, error)
}

// Logs is the part of CloudWatch Logs in use. *cloudwatchlogs.Client implements it.
type Logs interface {
	FilterLogEvents(context.Context, *cloudwatchlogs.FilterLogEventsInput, ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.FilterLogEventsOutput, error)
}

const (
	// refusedDays is how far back a stack's logs are read.
	refusedDays = 7
	// refusedPages bounds what is read of a log: a page has up to 1 MB, or may be empty.
	refusedPages = 200
)

var errLogTooLarge = errors.New("there are too many refused webhooks to read them all")

// logRefusals finds a stack's refusals in its logs: those of the ingest function in the
// function's log, those of API Gateway in the access log.
type logRefusals struct {
	logs  Logs
	stack string
	now   func() time.Time
}

// Refused implements [Refusals], for the last seven days.
func (l logRefusals) Refused(ctx context.Context) (ingest.Refused, error) {
	var all []ingest.Refusal
	for _, log := range []struct {
		group, pattern string
		parse          func(string) (ingest.Refusal, error)
	}{
		{"/aws/lambda/" + l.stack + "-ingest", `{ ($.decision = "rejected") || ($.decision = "failed") }`, parseOutcome},
		// If the function has answered, the integration has no error, and the function's
		// log has the refusal.
		{"/aws/vendedlogs/" + l.stack + "-access", `{ ($.status = "429") || (($.status = "5*") && ($.integrationError != "-")) }`, parseAccess},
	} {
		found, err := l.read(ctx, log.group, log.pattern, log.parse)
		all = append(all, found...)
		if err != nil {
			return ingest.Refused{}, fmt.Errorf("read refused webhooks in %s: %w", log.group, err)
		}
	}
	return summarise(all), nil
}

func (l logRefusals) read(ctx context.Context, group, pattern string, parse func(string) (ingest.Refusal, error)) (all []ingest.Refusal, err error) {
	in := &cloudwatchlogs.FilterLogEventsInput{
		LogGroupName: &group, FilterPattern: &pattern, StartTime: aws.Int64(l.now().AddDate(0, 0, -refusedDays).UnixMilli()),
	}
	for range refusedPages {
		out, err := l.logs.FilterLogEvents(ctx, in)
		if err != nil {
			return nil, err
		}
		for _, line := range out.Events {
			refusal, err := parse(aws.ToString(line.Message))
			if err != nil || refusal.Reason == "" {
				continue // Lambda's own line, or one about something that was not refused
			}
			refusal.At = time.UnixMilli(aws.ToInt64(line.Timestamp)).UTC()
			all = append(all, refusal)
		}
		if in.NextToken = out.NextToken; in.NextToken == nil {
			return all, nil
		}
	}
	return nil, errLogTooLarge
}

// parseOutcome parses a line of pkg/telemetry.
func parseOutcome(line string) (r ingest.Refusal, err error) {
	err = json.Unmarshal([]byte(line), &r)
	return r, err
}

// parseAccess parses a line of the access log, in template.yaml's format.
func parseAccess(line string) (r ingest.Refusal, err error) {
	var access struct{ Status string }
	if err := json.Unmarshal([]byte(line), &access); err != nil {
		return r, err
	}
	switch r.Status, err = strconv.Atoi(access.Status); {
	case r.Status == 429:
		r.Reason = ingest.ReasonTooManyRequests
	case r.Status >= 500:
		r.Reason = ingest.ReasonHandlerFailed
	}
	return r, err
}

// summarise keeps the last hundred, strangers' only as far as the others leave room, and
// counts all.
func summarise(all []ingest.Refusal) ingest.Refused {
	var r ingest.Refused
	counts := map[ingest.Reason]*ingest.RefusalCount{}
	for _, refusal := range all {
		c := counts[refusal.Reason]
		if c == nil {
			c = &ingest.RefusalCount{Status: refusal.Status, Reason: refusal.Reason}
			counts[refusal.Reason] = c
		}
		if c.Count++; refusal.At.After(c.Last) {
			c.Last = refusal.At
		}
	}
	for _, c := range counts {
		r.Counts = append(r.Counts, *c)
	}
	slices.SortFunc(r.Counts, func(a, b ingest.RefusalCount) int {
		return cmp.Or(cmp.Compare(a.Status, b.Status), cmp.Compare(a.Reason, b.Reason))
	})
	latest := func(a, b ingest.Refusal) int { return b.At.Compare(a.At) }
	slices.SortStableFunc(all, func(a, b ingest.Refusal) int {
		switch strange := a.Reason.Strange(); {
		case strange == b.Reason.Strange():
			return latest(a, b)
		case strange:
			return 1
		}
		return -1
	})
	r.Last = all[:min(len(all), ingest.RefusedKept)]
	slices.SortStableFunc(r.Last, latest)
	return r
}

// refusedProblem describes recent refusals that may be TestFairy's, "" if there are none.
// Nobody can undo a refusal, so it is a problem for a day.
func (h *Home) refusedProblem(r ingest.Refused, now time.Time) string {
	wrongToken, others := 0, 0
	for _, refusal := range r.Last {
		switch {
		case refusal.Reason.Strange() || now.Sub(refusal.At) > 24*time.Hour:
		case refusal.Reason == ingest.ReasonWrongToken:
			wrongToken++
		default:
			others++
		}
	}
	switch {
	case wrongToken > 0:
		return fmt.Sprintf("%s with a wrong token in the last 24 hours: if the token was changed, give TestFairy the new URL (%s); %s shows them",
			english.Plural(wrongToken, "webhook", ""), h.Command("webhook register"), h.Command("status --refused"))
	case others > 0:
		return fmt.Sprintf("%s refused in the last 24 hours: %s", english.Plural(others, "webhook", ""), h.Command("status --refused"))
	}
	return ""
}
