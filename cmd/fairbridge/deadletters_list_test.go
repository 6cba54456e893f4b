package main

import (
	"strings"
	"testing"
	"time"

	"fairbridge/pkg/deadletter"
	"fairbridge/pkg/queue"
)

func TestWriteLettersTable(t *testing.T) {
	plain := rejected(t, 1, "")
	hard := rejected(t, 2, `"email":"`+strings.Repeat("a", 40)+`@example.com","appName":"漢字アプリ\u001b[31m","text":"one\ntwo 🙂🙂 and so on and on and on"`)
	hard.Reason, hard.Stage, hard.Status, hard.Attempts = queue.ReasonAttachmentSource, "attach", 403, 12
	hard.Description = strings.Repeat("x", 100)
	crash := rejected(t, 3, `"event":"crash","crashMessage":"java.lang.NullPointerException","email":null`)
	crash.Body = strings.Replace(crash.Body, `"text":"feedback 3",`, "", 1)
	crash.Reason, crash.Stage, crash.Status, crash.Description = queue.ReasonMapping, "map", 0, "line 9: fields.severity: is empty"
	download := rejected(t, 4, `"event":"download","testerEmail":"bob@corporation.com"`)
	download.Description = ""
	foreign := deadletter.Letter{
		DeadLetter: queue.DeadLetter{DeliveryID: strings.Repeat("f", 64), Reason: queue.ReasonMalformed, Stage: "decode", FailedAt: letterTime},
		Body:       "hello",
	}
	none := moved(t, 5)
	cases := []deadletter.Case{caseOf(foreign), caseOf(plain), caseOf(hard), caseOf(crash), caseOf(download, download), caseOf(none)}
	var b strings.Builder
	if err := writeLetters(&b, cases, 6, letterTime.Add(49*time.Hour)); err != nil {
		t.Fatal(err)
	}
	wantLines(t, b.String(), `AGE  REASON             STAGE   STATUS  APP             SUBMITTER                       TEXT                            ATTEMPTS  DELIVERY      PROBLEM
2d   malformed          decode  -       -               -                               -                               0         ffffffffffff  -
2d   rejected           create  400     Demo App        alice@corporation.com           feedback 1                      1         6b86b273ff34  status 400: The submitter is no user of the project.
2d   attachment_source  attach  403     漢字アプリ[31m  aaaaaaaaaaaaaaaaaaaaaaaaaaaaa…  one two 🙂🙂 and so on and on…  12        d4735e3a265e  xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…
2d   mapping            map     -       -               -                               java.lang.NullPointerException  1         4e07408562be  line 9: fields.severity: is empty
2d   rejected           create  400     -               bob@corporation.com             feedback 4                      1         4b227777d4dd  (copies: 2)
2d   worker_died        -       -       Demo App        alice@corporation.com           feedback 5                      0         ef2d127de37b  -

6 dead letters: 2 rejected, 1 attachment_source, 1 malformed, 1 mapping, 1 worker_died
`)
}

func TestWriteLettersCounts(t *testing.T) {
	odd := rejected(t, 1, "")
	odd.Reason = "of\u202e later"
	for _, tc := range []struct {
		cases      []deadletter.Case
		deliveries int
		want       string
	}{
		{nil, 0, "no dead letters\n"},
		{nil, 1, "none of 1 dead letter is meant\n"},
		{nil, 9, "none of 9 dead letters is meant\n"},
		{[]deadletter.Case{caseOf(rejected(t, 1, ""))}, 1, "\n1 dead letter: 1 rejected\n"},
		{[]deadletter.Case{caseOf(odd)}, 1, "\n1 dead letter: 1 of later\n"},
		{[]deadletter.Case{caseOf(rejected(t, 1, ""))}, 9, "\n1 dead letter of 9: 1 rejected\n"},
	} {
		var b strings.Builder
		if err := writeLetters(&b, tc.cases, tc.deliveries, letterTime); err != nil || !strings.HasSuffix(b.String(), tc.want) {
			t.Errorf("%d of %d: %q, want %q", len(tc.cases), tc.deliveries, b.String(), tc.want)
		}
	}
}

func TestAge(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "0s", 0: "0s", 59 * time.Second: "59s", time.Minute: "1m", 59 * time.Minute: "59m",
		time.Hour: "1h", 47 * time.Hour: "47h", 48 * time.Hour: "2d", 14 * 24 * time.Hour: "14d",
	} {
		if got := age(d); got != want {
			t.Errorf("%s is %s, want %s", d, got, want)
		}
	}
}

func TestListTellsTheLastErrorOfWhatSQSMoved(t *testing.T) {
	h := newLetterHome(t, rejected(t, 1, ""), moved(t, 2), moved(t, 3), moved(t, 4))
	h.must(h.claim(idOf(2), 0).Release(t.Context(), faultOf("create", 503, "create ticket: status 503: busy"), true, 0))
	done := h.claim(idOf(3), 0)
	h.must(done.Created(t.Context(), "77", nil, nil))
	h.must(done.Completed(t.Context()))

	list := h.dlq("list").out
	for _, want := range []string{
		"  1         6b86b273ff34  status 400: The submitter is no user of the project.\n",
		"  worker_died  create  503     Demo App  alice@corporation.com  feedback 2  1         d4735e3a265e  create ticket: status 503: busy\n",
		"  1         4e07408562be  done already, as ticket 77\n",
		"  0         4b227777d4dd  -\n",
		"\n4 dead letters: 3 worker_died, 1 rejected\n",
	} {
		if !strings.Contains(list, want) {
			t.Errorf("no line %q in\n%s", want, list)
		}
	}
	for filter, want := range map[string]string{
		"--status=5xx":                        "1 dead letter of 4: 1 worker_died\n",
		"--stage=create":                      "2 dead letters of 4: 1 rejected, 1 worker_died\n",
		"--match=@description~busy":           "1 dead letter of 4: 1 worker_died\n",
		"--reason=worker_died":                "3 dead letters of 4: 3 worker_died\n",
		dated("--since=2026-01-02T23:04:05Z"): "3 dead letters of 4: 3 worker_died\n", // SQS's were sent just now
		dated("--until=2026-01-02T23:04:05Z"): "1 dead letter of 4: 1 rejected\n",
		"--app=Demo*":                         "4 dead letters: 3 worker_died, 1 rejected\n",
		"--match=text=feedback 2":             "1 dead letter of 4: 1 worker_died\n",
		"--match=text~feedback [14]$":         "2 dead letters of 4: 1 rejected, 1 worker_died\n",
		"--app=Other":                         "none of 4 dead letters is meant\n",
	} {
		if got := h.dlq("list", filter); got.code != exitDone || !strings.HasSuffix(got.out, want) {
			t.Errorf("%s: %+v, want %q", filter, got, want)
		}
	}
	if got := len(h.dead()); got != 4 {
		t.Errorf("after listing %d letters are visible", got)
	}
}

func TestListAsJSON(t *testing.T) {
	h := newLetterHome(t, rejected(t, 1, ""), rejected(t, 1, ""))
	got := h.dlq("list", "--json")
	want := `{"deliveryId":"` + idOf(1) + `","reason":"rejected","stage":"create","status":400,` +
		`"description":"status 400: The submitter is no user of the project.","event":"feedback","app":"Demo App",` +
		`"submitter":"alice@corporation.com","text":"feedback 1","attempts":1,"replays":0,"generation":1,"copies":2,` +
		dated(`"diedAt":"2026-01-02T03:04:06Z","sentAt":"`)
	if got.code != exitDone || !strings.HasPrefix(got.out, want) || strings.Count(got.out, "\n") != 1 {
		t.Errorf("%+v\nwant %s", got, want)
	}
	newLetterHome(t).dlq("list", "--json").want(t, exitDone, "", "")
}

func TestSelectionUsage(t *testing.T) {
	h := newLetterHome(t)
	for _, tc := range []struct{ args, want string }{
		{"list --reason wrong", `there is no reason "wrong"; the reasons are ambiguous, `},
		{"list --stage wrong", `there is no stage "wrong"; the stages are attach, `},
		{"list --status 40", `--status: "40" is no HTTP status`},
		{"list --since yesterday", `--since: "yesterday" is no time`},
		{"list --until 2026", `--until: "2026" is no time`},
		{"list --match email", `--match: "email" is not FIELD=VALUE`},
		{"list extra", `unexpected "extra"`},
		{"show", "needs a delivery id"},
		{"show 6b86b", `"6b86b" is no delivery id; give at least its first 6 characters`},
		{"show ../../x", `"../../x" is no delivery id`},
		{"replay", "say which to replay: delivery ids, a filter such as --reason, or --all"},
		{"replay 6b86b273 --all", "exclude each other"},
		{"replay --all --reason mapping", "exclude each other"},
		{"replay --all", "there is nobody to ask here: look first (--dry-run), then add --yes"},
		{"replay 6b86b273 --set email=x", "there is nobody to ask here"},
		{"replay 6b86b273 --set email", `--set "email" is not FIELD=VALUE`},
		{"replay 6b86b273 --set =x", "is not FIELD=VALUE"},
		{"replay 6b86b273 --rate fast", `--rate "fast" is no rate`},
		{"replay 6b86b273 --rate 0/s", "is no rate"},
		{"replay 6b86b273 --rate 5/d", "is no rate"},
		{"replay 6b86b273 --rate NaN", "is no rate"},
		{"replay 6b86b273 --timeout 0s", "--timeout must be more than nothing"},
		{"replay 6b86b273 --as-created 1 --create-again", "exclude each other"},
		{"replay 6b86b273 6b86b274 --create-again", "settle one delivery"},
		{"replay --all --yes --create-again", "settle one delivery"},
		{"drop", "say which to drop"},
		{"drop 6b86b273 --yes", "say why with --because"},
		{"drop 6b86b273 --because x", "there is nobody to ask here"},
		{"export 6b86b273 --reason mapping", "exclude each other"},
		{"import", "needs the file that 'fairbridge dlq export' wrote"},
	} {
		got := h.dlq(strings.Fields(tc.args)...)
		if got.code != exitUsage || got.out != "" || !strings.Contains(got.err, tc.want) {
			t.Errorf("%s: %+v, want %q", tc.args, got, tc.want)
		}
	}
}

func TestParseRate(t *testing.T) {
	for s, want := range map[string]float64{"": 0, "20": 20, "20/s": 20, "120/m": 2, "3600/h": 1, "0.5/s": 0.5} {
		if got, err := parseRate(s); err != nil || got != want {
			t.Errorf("%q is %g, %v", s, got, err)
		}
	}
}
