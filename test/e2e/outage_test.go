//go:build e2e

package e2e

import (
	"strings"
	"testing"
	"time"

	"fairbridge/pkg/breaker"
	centercodesim "fairbridge/pkg/centercode/simulator"
	"fairbridge/pkg/ledger/dynamo/dynamotest"
)

// outage is how long Centercode is down. Waiting messages wait for a quarter of the outage
// so far, so a short outage has short waits.
const outage = 40 * time.Second

// TestOutage: Centercode is down while feedbacks arrive. Nothing becomes a dead letter, and
// after its return everything becomes a ticket without help. It affects every test, so it
// does not run in parallel.
func TestOutage(t *testing.T) {
	health, err := breaker.New(breaker.Config{Store: dynamotest.NewStore(t, bridge.dynamodb, bridge.stack.LedgerTable), Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	open := func() bool {
		t.Helper()
		state, err := health.State(t.Context(), "DEMO")
		if err != nil {
			t.Fatal(err)
		}
		return state.Open()
	}
	bridge.centercode.Inject(centercodesim.Fault{Status: 503, Times: -1})
	defer bridge.centercode.Heal()
	began := time.Now()
	var ids []string
	arrive := func(n int) {
		t.Helper()
		for range n {
			ids = append(ids, bridge.accept(t, bridge.feedback(t, map[string]any{"appName": "Looked up"})))
		}
	}
	arrive(10)
	eventually(t, "it is known that Centercode is away", open)
	arrive(10)
	// The exit code is 1 if something else needs a person, which this test does not check.
	status, _ := bridge.command(t.Context(), "", "status", "--stack", stackName)
	if !strings.Contains(string(status), "Centercode has not responded since") || !strings.Contains(string(status), "nothing is lost while this lasts") {
		t.Errorf("the status is\n%s", status)
	}
	eventually(t, "the outage is over", func() bool { return time.Since(began) >= outage })
	requests := bridge.centercode.Requests()
	bridge.centercode.Heal()
	back := time.Now()
	for _, id := range ids {
		bridge.ticket(t, id)
	}
	t.Logf("%d requests for tickets and %d probes in %s; the last of %d tickets %s after Centercode is back",
		requests.Create, requests.Package, outage, len(ids), time.Since(back).Round(time.Second))
	if open() {
		t.Error("Centercode is still said to be away")
	}
	bridge.checkNoLetters(t)
}
