package deadletter

import (
	"strings"
	"testing"
	"time"

	"fairbridge/pkg/queue"
	"fairbridge/pkg/testfairy"
)

func conditions(t *testing.T, words ...string) (all []Condition) {
	t.Helper()
	for _, w := range words {
		c, err := ParseCondition(w)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
	}
	return all
}

// id is a delivery id.
var id = strings.Repeat("ab", 32)

func TestFilter(t *testing.T) {
	l := Letter{
		DeadLetter: queue.DeadLetter{
			DeliveryID: id, Event: "feedback", Reason: queue.ReasonRejected, Stage: "create", Status: 400,
			Description: "Invalid submitter.", Attempts: 2, Generation: 1, FailedAt: edited,
		},
		SentAt: edited.Add(time.Hour),
	}
	var err error
	l.Webhook, err = testfairy.Decode([]byte(`{"event":"feedback","appName":"Demo App","email":"a@b.example","build":7,"text":"one\ntwo","x=y":"z"}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name string
		f    Filter
		want bool
	}{
		{"nothing given", Filter{}, true},
		{"id", Filter{IDs: []string{"abab"}}, true},
		{"id in capitals", Filter{IDs: []string{"ABAB"}}, true},
		{"other ids", Filter{IDs: []string{"cdcd", "baba"}}, false},
		{"reason", Filter{Reasons: []queue.Reason{queue.ReasonMapping, queue.ReasonRejected}}, true},
		{"other reason", Filter{Reasons: []queue.Reason{queue.ReasonMapping}}, false},
		{"stage", Filter{Stages: []queue.Stage{"create"}}, true},
		{"other stage", Filter{Stages: []queue.Stage{"map"}}, false},
		{"status", Filter{Statuses: []string{"400"}}, true},
		{"class", Filter{Statuses: []string{"5xx", "4xx"}}, true},
		{"other class", Filter{Statuses: []string{"5xx"}}, false},
		{"app", Filter{Apps: []string{"Demo App"}}, true},
		{"app by pattern", Filter{Apps: []string{"*mo*"}}, true},
		{"app letter for letter", Filter{Apps: []string{"demo app"}}, false},
		{"a pattern is no regular expression", Filter{Apps: []string{"D..o App"}}, false},
		{"since then", Filter{Since: edited}, true},
		{"since later", Filter{Since: edited.Add(time.Second)}, false},
		{"until then", Filter{Until: edited}, false},
		{"until later", Filter{Until: edited.Add(time.Second)}, true},
		{"field", Filter{Match: conditions(t, "email=a@b.example")}, true},
		{"other value", Filter{Match: conditions(t, "email=a@b")}, false},
		{"number", Filter{Match: conditions(t, "build=7")}, true},
		{"missing is empty", Filter{Match: conditions(t, "screenshotUrl=")}, true},
		{"not", Filter{Match: conditions(t, "email!=a@b")}, true},
		{"regexp", Filter{Match: conditions(t, `email~@b\.`)}, true},
		{"not regexp", Filter{Match: conditions(t, `email!~@b\.`)}, false},
		{"regexp over lines", Filter{Match: conditions(t, `text~(?s)^one.two$`)}, true},
		{"value with signs", Filter{Match: conditions(t, `text~=|one`)}, true},
		{"letter's own", Filter{Match: conditions(t, "@description~(?i)SUBMITTER", "@status=400", "@attempts=2", "@replays=0", "@event=feedback")}, true},
		{"all must hold", Filter{Match: conditions(t, "build=7", "build=8")}, false},
	} {
		if got := tc.f.selects(l); got != tc.want {
			t.Errorf("%s: %v", tc.name, got)
		}
	}
	moved := Letter{DeadLetter: queue.DeadLetter{DeliveryID: id, Reason: queue.ReasonWorkerDied}, Webhook: l.Webhook}
	f := Filter{Stages: []queue.Stage{"create"}, Statuses: []string{"503"}, Match: conditions(t, "@description~x", "build=7")}
	if f.selects(moved) || !f.withoutFault().selects(moved) || len(f.Match) != 2 {
		t.Error("a letter that SQS moved is rejected before the ledger is read")
	}
	if !f.needsPayload() || (Filter{Match: conditions(t, "@stage=map")}).needsPayload() {
		t.Error("needsPayload is wrong")
	}
}

func TestParseConditionRefuses(t *testing.T) {
	for _, s := range []string{"", "email", "=x", "~x", "!=x", "email~(", "@color=red", " =x"} {
		if c, err := ParseCondition(s); err == nil {
			t.Errorf("%q is %+v", s, c)
		}
	}
}

func TestParseTime(t *testing.T) {
	now := time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)
	for s, want := range map[string]time.Time{
		"2026-01-31":                time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC),
		"2026-01-31T08:00:00+02:00": time.Date(2026, 1, 31, 6, 0, 0, 0, time.UTC),
		"90m":                       now.Add(-90 * time.Minute),
		"1h30m":                     now.Add(-90 * time.Minute),
		"7d":                        now.AddDate(0, 0, -7),
		"0s":                        now,
	} {
		if got, err := ParseTime(s, now); err != nil || !got.Equal(want) {
			t.Errorf("%q is %s, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "yesterday", "-1h", "d", "-1d", "99999d", "2026-13-01"} {
		if got, err := ParseTime(s, now); err == nil {
			t.Errorf("%q is %s", s, got)
		}
	}
}

func TestWordsStatus(t *testing.T) {
	for s, good := range map[string]bool{"400": true, "5xx": true, "": false, "40": false, "4x0": false, "600": false, "5XX": false} {
		if _, err := (Words{Statuses: []string{s}}).Filter(time.Now()); (err == nil) != good {
			t.Errorf("%q: %v", s, err)
		}
	}
}

func FuzzParseCondition(f *testing.F) {
	f.Add("email=a@b")
	f.Add("text!~(?i)crash")
	f.Add("@status=400")
	f.Fuzz(func(t *testing.T, s string) {
		c, err := ParseCondition(s)
		if err != nil {
			return
		}
		c.holds(Letter{})
	})
}
