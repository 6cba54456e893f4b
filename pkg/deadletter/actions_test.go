package deadletter_test

import (
	"slices"
	"testing"

	"fairbridge/pkg/deadletter"
	"fairbridge/pkg/home"
	"fairbridge/pkg/ledger"
	"fairbridge/pkg/ledger/dynamo/dynamotest"
)

// inBothHomes runs a test in a folder, and with a stack's ledger.
func inBothHomes(t *testing.T, test func(*testing.T, *fixture)) {
	t.Run("folder", func(t *testing.T) { test(t, newFixture(t)) })
	t.Run("stack", func(t *testing.T) {
		o := newFixture(t)
		client := dynamotest.Start(t, "ledger").Client()
		o.home = &home.Home{
			SQS: o.home.SQS, WorkQueueURL: o.home.WorkQueueURL, DeadLetterQueueURL: o.home.DeadLetterQueueURL,
			Ledger: dynamotest.NewStore(t, client, "ledger"), History: dynamotest.NewHistory(t, client, "ledger"),
		}
		test(t, o.reopen(deadletter.Config{}))
	})
}

// TestActions checks that a delivery's entry records what people did to it: when, who and
// what. Dry runs are not recorded.
func TestActions(t *testing.T) {
	inBothHomes(t, func(t *testing.T, o *fixture) {
		for n := 1; n <= 3; n++ {
			o.die(rejected(t, n))
		}
		c := o.claim(idOf(4))
		o.must(c.Creating(t.Context(), ledger.Where{}))
		o.put(rejected(t, 4))
		o.must(c.Died(t.Context(), ledger.Fault{Reason: "ambiguous", Stage: "create", Text: "lost", At: died}, false))

		email := []deadletter.Assignment{{Field: "email", Value: "b@example.com"}, {Field: "text", Value: "feedback 1"}}
		replays := []deadletter.ReplayOptions{
			{Filter: deadletter.Filter{IDs: []string{idOf(1)}}},
			{Filter: deadletter.Filter{IDs: []string{idOf(2)}}, Sets: email},
			{Filter: deadletter.Filter{IDs: []string{idOf(4)}}, Settlement: deadletter.Settlement{AsCreated: "77"}},
		}
		for _, options := range replays {
			options.Checker = checker(t)
			_, err := o.DryRun(t.Context(), options)
			o.must(err)
		}
		for n := 1; n <= 4; n++ {
			if did := o.did(n); len(did) != 0 {
				t.Errorf("actions on %d after a dry run: %q", n, did)
			}
		}
		for _, options := range replays {
			if done, err := o.Replay(t.Context(), options); err != nil || len(done.Cases) != 1 {
				t.Fatalf("%+v, %v", done, err)
			}
		}
		in, err := o.Select(t.Context(), deadletter.Query{})
		o.must(err)
		o.Drop(t.Context(), in, "enough", func(_ deadletter.Case, err error) { t.Error(err) })
		o.must(in.Hold.Release(t.Context()))
		for n, want := range map[int][]string{
			1: {"replayed it"},
			2: {"corrected email, text", "replayed it"},
			3: {"dropped it"},
			4: {"said that ticket 77 is it", "replayed it"},
		} {
			if did := o.did(n); !slices.Equal(did, want) {
				t.Errorf("%d: got %q, want %q", n, did, want)
			}
		}
	})
}

// TestReplayThatCannotBeRecorded checks that a letter stays if its replay cannot be
// recorded.
func TestReplayThatCannotBeRecorded(t *testing.T) {
	o := newFixture(t, rejected(t, 1))
	o.home.Ledger = unavailable{o.home.Ledger}
	o.reopen(deadletter.Config{})
	var why error
	done, err := o.Replay(t.Context(), deadletter.ReplayOptions{Stays: func(_ deadletter.Case, err error) { why = err }})
	if err != nil || done.Failed != 1 || len(done.Cases) != 0 || why == nil || len(o.ids()) != 1 {
		t.Errorf("got %+v, %v; stays because of %v; left %q", done, err, why, o.ids())
	}
}
