package home

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"fairbridge/pkg/breaker"
	"fairbridge/pkg/ingest"
	"fairbridge/pkg/ledger"
	"fairbridge/pkg/secrets"
)

// TestProblems checks that exactly the things that need a person are reported, with what to
// do.
func TestProblems(t *testing.T) {
	now := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	entry := func(id string, state ledger.State, last ledger.Fault) ledger.Entry {
		last.At = ago(10 * time.Minute)
		return ledger.Entry{DeliveryID: strings.Repeat(id, 64), State: state, UpdatedAt: ago(10 * time.Minute), Last: &last}
	}
	living := func(last ledger.Fault) ledger.Entry { return entry("a", ledger.Claimed, last) }
	dead := func(id string) ledger.Entry { return entry(id, ledger.Dead, ledger.Fault{Reason: "rejected"}) }
	letters := func(ids ...string) map[string]time.Time {
		all := map[string]time.Time{}
		for _, id := range ids {
			all[strings.Repeat(id, 64)] = ago(10 * time.Minute)
		}
		return all
	}
	queues := func(s *Status, waiting, letters int) {
		s.Work, s.DeadLetters = &QueueDepth{Waiting: waiting}, &QueueDepth{Waiting: letters}
	}
	looked := func(state ledger.State, status int) ledger.Entry {
		e := entry("b", state, ledger.Fault{Stage: "look_up", Status: status, Text: "no such package"})
		e.Where = &ledger.Where{Project: "P", Source: "s", Lookup: &ledger.Lookup{Package: "all", Column: "id"}}
		return e
	}
	mendLookup := "the look-up of the route to project P, source s cannot work (data package all, column id): no such package; " +
		"fix its lookup in fairbridge.yaml, or what Centercode shows there"
	nameless := entry("c", ledger.Completed, ledger.Fault{})
	failing := living(ledger.Fault{Stage: "create", Status: 500, Text: "HTTP 500"})
	failing.Waited = waitsLong
	paused := []breaker.State{{Pause: &breaker.Pause{At: ago(20 * time.Hour), Why: "they move"}}}

	for name, test := range map[string]struct {
		status func(*Status)
		found  findings
		aws    bool
		want   []string
	}{
		"it runs, and works": {
			status: func(s *Status) { queues(s, 40, 0) },
			found: findings{
				recent: []ledger.Entry{entry("d", ledger.Completed, ledger.Fault{Status: 401, Stage: "create"}), living(ledger.Fault{Stage: "create", Status: 500})},
				queued: letters("a", "e"), letters: letters(),
			},
		},
		"it does not run, and nothing waits": {status: func(s *Status) { s.Runs = aws.Bool(false) }},
		"it does not run": {
			status: func(s *Status) { s.Runs = aws.Bool(false); queues(s, 299, 0) },
			want:   []string{"no bridge runs in this folder, and 299 feedbacks wait: fairbridge run --data f"},
		},
		"no key": {
			status: func(s *Status) {
				s.Runs, s.Centercode.BaseURL = aws.Bool(false), "https://beta.example.com"
				s.Secrets = []SecretState{{Name: secrets.CentercodeAPIKey}, {Name: secrets.WebhookToken}, {Name: secrets.TestFairyAPIKey}}
			},
			want: []string{"centercode-api-key is missing: fairbridge secrets put centercode-api-key --data f"},
		},
		"the key is refused, and the breaker knows": {
			found: findings{
				recent: []ledger.Entry{living(ledger.Fault{Stage: "create", Status: 401})},
				health: []breaker.State{{Project: "P", Since: ago(time.Minute), Fault: &breaker.Fault{Status: 401}}},
			},
			want: []string{"Centercode has rejected the API key since 11:59 (401): " +
				"fairbridge secrets put centercode-api-key --data f; the next probe is in 0s"},
		},
		"the key is refused to one delivery": {
			found: findings{recent: []ledger.Entry{living(ledger.Fault{Stage: "create", Status: 403, Text: "HTTP 403"})}},
			want: []string{"Centercode refuses the API key, and 1 feedback waits (HTTP 403): " +
				"if the key was replaced or withdrawn, fairbridge secrets put centercode-api-key --data f"},
		},
		"a source refuses a file": {found: findings{recent: []ledger.Entry{living(ledger.Fault{Stage: "attach", Status: 403})}}},
		"the key cannot be read": {
			found: findings{recent: []ledger.Entry{living(ledger.Fault{Stage: "secret", Text: "no such parameter"})}},
			want:  []string{"a secret cannot be read, and 1 feedback waits (no such parameter): fairbridge secrets list --data f"},
		},
		"paused, and so what waits is old": {
			status: func(s *Status) {
				queues(s, 1, 0)
				s.Work.Oldest = ago(20 * time.Hour)
			},
			found: findings{health: paused},
		},
		"it waits as usual": {status: func(s *Status) { queues(s, 1, 0); s.Work.Oldest = ago(waitsLong - time.Second) }},
		"it waits": {
			status: func(s *Status) { queues(s, 1, 0); s.Work.Oldest = ago(waitsLong) },
			want: []string{"the oldest feedback waits since 2026-01-02 11:00 UTC, longer than usual: " +
				"more arrives than is processed, or it is retried again and again; the bridge's log has the reason"},
		},
		"one fails again and again, though others are paused": {
			status: func(s *Status) {
				queues(s, 1, 0)
				s.Work.Oldest = ago(2 * time.Hour)
			},
			found: findings{recent: []ledger.Entry{failing}, health: paused},
			want:  []string{"1 feedback is failing for more than an hour: aaaaaaaaaaaa (last at create: HTTP 500): fairbridge show aaaaaaaaaaaa --data f"},
		},
		"dead letters": {
			status: func(s *Status) { queues(s, 0, 2) },
			found:  findings{waiting: []ledger.Entry{dead("1"), dead("2")}, letters: letters("1", "2")},
			want:   []string{"2 dead letters: fairbridge dlq list --data f"},
		},
		"a letter was deleted": {
			found: findings{waiting: []ledger.Entry{dead("1"), dead("2")}, letters: letters(), queued: letters("2")},
			want: []string{"1 dead letter: fairbridge dlq list --data f", "1 delivery is dead without a letter in the dead-letter queue: 111111111111; " +
				"somebody has deleted it, or it has expired, and the ledger has its message: fairbridge show 111111111111 --data f"},
		},
		"one has died just now": {
			found: findings{waiting: []ledger.Entry{{DeliveryID: "x", State: ledger.Dead, UpdatedAt: ago(time.Minute)}}, letters: letters()},
		},
		"a letter that the ledger does not know": {
			status: func(s *Status) { queues(s, 0, 1) },
			found:  findings{letters: letters("1")},
			want:   []string{"1 dead letter: fairbridge dlq list --data f", "1 dead letter that the ledger does not know as dead: fairbridge dlq adopt --data f"},
		},
		"letters were deleted on AWS": {
			aws:   true,
			found: findings{waiting: []ledger.Entry{dead("1"), dead("2"), dead("3"), dead("4")}},
			want: []string{"4 deliveries are dead without a letter in the dead-letter queue: 111111111111, 222222222222, 333333333333 and 1 more; " +
				"somebody has deleted it, or it has expired, and the ledger has its message: fairbridge show 111111111111 --stack s"},
		},
		"replayed on AWS, and not taken up yet": {
			aws: true, status: func(s *Status) { queues(s, 1, 0) },
			found: findings{waiting: []ledger.Entry{dead("1")}},
		},
		"a letter on AWS that the ledger does not know": {
			aws: true, status: func(s *Status) { queues(s, 0, 2) },
			found: findings{waiting: []ledger.Entry{dead("1")}},
			want: []string{"2 dead letters: fairbridge dlq list --stack s",
				"1 dead letter that the ledger does not know as dead: fairbridge dlq adopt --stack s"},
		},
		"a look-up that failed": {found: findings{recent: []ledger.Entry{looked(ledger.Creating, 502), looked(ledger.Creating, 401)}},
			want: []string{"Centercode refuses the API key, and 1 feedback waits (no such package): " +
				"if the key was replaced or withdrawn, fairbridge secrets put centercode-api-key --data f"}},
		"a look-up that cannot work": {
			found: findings{recent: []ledger.Entry{looked(ledger.Completed, 404), looked(ledger.Claimed, 200)}},
			want:  []string{mendLookup},
		},
		"a look-up that cannot work, parked": {
			status: func(s *Status) { queues(s, 0, 1) },
			found:  findings{waiting: []ledger.Entry{looked(ledger.Dead, 404)}, letters: letters("b")},
			want:   []string{"1 dead letter: fairbridge dlq list --data f", mendLookup},
		},
		"a ticket without a name": {
			found: findings{nameless: []ledger.Entry{nameless, {DeliveryID: "old", UpdatedAt: ago(25 * time.Hour)}}},
			want: []string{"1 ticket without an id in the last 24 hours, of cccccccccccc: Centercode's answer did not contain it; " +
				"with a lookup in the route it is found automatically"},
		},
		"refused": {
			status: func(s *Status) {
				s.Refused = &ingest.Refused{Last: []ingest.Refusal{{At: ago(time.Hour), Reason: ingest.ReasonNotJSON}, {At: ago(25 * time.Hour), Reason: ingest.ReasonWrongToken}}}
			},
			want: []string{"1 webhook refused in the last 24 hours: fairbridge status --refused --data f"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := &Home{Place: Place{Folder: "f"}}
			s := &Status{Runs: aws.Bool(true)}
			if test.aws {
				h.Place, s.Runs = Place{Stack: "s"}, nil
			}
			queues(s, 0, 0)
			if test.status != nil {
				test.status(s)
			}
			if !test.aws && test.found.letters == nil {
				test.found.letters = map[string]time.Time{}
			}
			h.problems(s, test.found, now)
			if got := s.Problems; !slices.Equal(got, test.want) {
				t.Errorf("problems are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(test.want, "\n"))
			}
		})
	}
}
