package main

import (
	"strings"
	"testing"
	"time"

	"fairbridge/pkg/ledger"
	"fairbridge/pkg/terminal"
)

func TestListShowsTheLastErrorOfWhatSQSMoved(t *testing.T) {
	h := newLetterHome(t, rejected(t, 1, ""), moved(t, 2), moved(t, 3), moved(t, 4))
	h.must(h.claim(idOf(2), 0).Release(t.Context(), faultOf("create", 503, "create ticket: status 503: busy"), true, 0))
	done := h.claim(idOf(3), 0)
	h.must(done.Created(t.Context(), "77", nil, nil))
	h.must(done.Completed(t.Context()))

	list := h.dlq("list", "--each").out
	for _, want := range []string{
		"  1         6b86b273ff34  status 400: The submitter is not a user of the project.\n",
		"  worker_died   create  503     Demo App  alice@corporation.com  feedback 2  1         d4735e3a265e  create ticket: status 503: busy\n",
		"  done already  -       -       Demo App  alice@corporation.com  feedback 3  1         4e07408562be  done already, as ticket 77\n",
		"  0         4b227777d4dd  -\n",
		"\n4 dead letters: 2 worker_died, 1 rejected, 1 done already\n",
	} {
		if !strings.Contains(list, want) {
			t.Errorf("no line %q in\n%s", want, list)
		}
	}
	for filter, want := range map[string]string{
		"--status=5xx":                        "1 dead letter of 4: 1 worker_died\n",
		"--stage=create":                      "2 dead letters of 4: 1 rejected, 1 worker_died\n",
		"--match=@description~busy":           "1 dead letter of 4: 1 worker_died\n",
		"--reason=worker_died":                "3 dead letters of 4: 2 worker_died, 1 done already\n",
		dated("--since=2026-01-02T23:04:05Z"): "3 dead letters of 4: 2 worker_died, 1 done already\n", // SQS's were sent just now
		dated("--until=2026-01-02T23:04:05Z"): "1 dead letter of 4: 1 rejected\n",
		"--app=Demo*":                         "4 dead letters: 2 worker_died, 1 rejected, 1 done already\n",
		"--match=text=feedback 2":             "1 dead letter of 4: 1 worker_died\n",
		"--match=text~feedback [14]$":         "2 dead letters of 4: 1 rejected, 1 worker_died\n",
		"--app=Other":                         "none of 4 dead letters matches\n",
	} {
		if got := h.dlq("list", "--each", filter); got.code != exitDone || !strings.HasSuffix(got.out, want) {
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
		`"description":"status 400: The submitter is not a user of the project.","event":"feedback","app":"Demo App",` +
		`"submitter":"alice@corporation.com","text":"feedback 1","attempts":1,"replays":0,"generation":1,"copies":2,` +
		dated(`"diedAt":"2026-01-02T03:04:06Z","sentAt":"`)
	if got.code != exitDone || !strings.HasPrefix(got.out, want) || strings.Count(got.out, "\n") != 1 {
		t.Errorf("%+v\nwant %s", got, want)
	}
	newLetterHome(t).dlq("list", "--json").want(t, exitDone, "", "")
}

// TestListByCause checks that list and status agree on the number of deliveries and of
// completed ones.
func TestListByCause(t *testing.T) {
	h := newLetterHome(t, rejected(t, 1, ""), rejected(t, 2, ""), rejected(t, 2, ""), rejected(t, 3, ""))
	for n := 1; n < 3; n++ {
		c := h.claim(idOf(n), 0)
		h.must(c.Creating(t.Context(), ledger.Where{Project: "DEMO", Source: "testfairy"}))
		h.must(c.Died(t.Context(), faultOf("create", 400, "no"), true))
	}
	h.must(h.claim(idOf(3), 1).Completed(t.Context()))
	since := letterTime.Add(time.Second).Local().Format("2006-01-02 15:04")
	if now := time.Now(); since[:10] == now.Format(time.DateOnly) {
		since = since[11:]
	}
	want := "2 x rejected 400 at DEMO/testfairy, since " + since + `
    status 400: The submitter is not a user of the project.
    newest d4735e3a265e, AGE ago, --group b1084cad55bc

1 x done already
    their deliveries are completed or dropped
    fairbridge dlq drop --done --data DATA

3 dead letters: 2 rejected, 1 done already
With copies the queue has 4.
What to do about one: fairbridge dlq show d4735e3a265e --data DATA
All of them:          fairbridge dlq list --each --data DATA
`
	h.dlq("list").want(t, exitDone, strings.NewReplacer("DATA", h.data, "AGE", terminal.Age(time.Since(letterTime.Add(2*time.Second)))).Replace(want), "")
	if got := runCommand(t, "", "status", "--data", h.data); !strings.Contains(got.out, "\n  3 dead letters: fairbridge dlq list --data "+h.data+"\n") {
		t.Errorf("status has another count: %+v", got)
	}
	got := h.dlq("list", "--csv", "--limit", "1")
	if got.code != exitDone || strings.Count(got.out, "\n") != 2 || !strings.Contains(got.out, "\n"+idOf(1)+",") {
		t.Errorf("%+v", got)
	}
}

func TestSelectionUsage(t *testing.T) {
	h := newLetterHome(t)
	for _, tc := range []struct{ args, want string }{
		{"list --reason wrong", `there is no reason "wrong"; the reasons are ambiguous, `},
		{"list --stage wrong", `there is no stage "wrong"; the stages are attach, `},
		{"list --status 40", `--status: "40" is not an HTTP status`},
		{"list --since yesterday", `--since: "yesterday" is not a time`},
		{"list --until 2026", `--until: "2026" is not a time`},
		{"list --match email", `--match: "email" is not FIELD=VALUE`},
		{"list --json --csv", "--json and --csv exclude each other"},
		{"list --limit -1", "--limit must be 0 or more"},
		{"list extra", `unexpected "extra"`},
		{"show", "give a delivery id, see 'fairbridge dlq list'\nSee 'fairbridge dlq show --help'.\n"},
		{"show 6b86b", `"6b86b" is not a delivery id; give at least its first 6 characters`},
		{"show ../../x", `"../../x" is not a delivery id`},
		{"replay", "select what to replay: delivery ids, a filter such as --reason, or --all"},
		{"replay 6b86b273 --all", "exclude each other"},
		{"replay --all --reason mapping", "exclude each other"},
		{"replay --all", "there is no terminal to ask for confirmation: check with --dry-run, then add --yes"},
		{"replay 6b86b273 --set email=x", "there is no terminal to ask for confirmation"},
		{"replay 6b86b273 --set email", `--set "email" is not FIELD=VALUE`},
		{"replay 6b86b273 --set =x", "is not FIELD=VALUE"},
		{"replay 6b86b273 --rate fast", `--rate "fast" is not a rate`},
		{"replay 6b86b273 --rate 0/s", "is not a rate"},
		{"replay 6b86b273 --rate 5/d", "is not a rate"},
		{"replay 6b86b273 --rate NaN", "is not a rate"},
		{"replay 6b86b273 --first 1", "--first needs a filter or --all"},
		{"replay --all --first -1 --yes", "--first must be 1 or more"},
		{"replay --all --first one", "fairbridge: --first must be a whole number, not \"one\"\nSee 'fairbridge dlq replay --help'.\n"},
		{"replay 6b86b273 --timeout long", "--timeout must be a duration such as 90s, 30m or 2h, not \"long\"\n"},
		{"replay 6b86b273 --timeout 0s", "--timeout must be positive"},
		{"replay 6b86b273 --as-created 1 --create-again", "exclude each other"},
		{"replay 6b86b273 6b86b274 --create-again", "settle one delivery"},
		{"replay --all --yes --create-again", "settle one delivery"},
		{"drop", "select what to drop"},
		{"drop --done --all", "--done selects the letters and is the reason"},
		{"drop 6b86b273 --yes", "give the reason with --because"},
		{"drop 6b86b273 --because x", "there is no terminal to ask for confirmation"},
		{"export 6b86b273 --reason mapping", "exclude each other"},
		{"import", "give the file that 'fairbridge dlq export' wrote"},
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
