//go:build e2e

package e2e

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"fairbridge/pkg/ledger"
	"fairbridge/pkg/ledger/dynamo/dynamotest"
	"fairbridge/pkg/ledger/ledgertest"
	"fairbridge/pkg/queue"
	"fairbridge/pkg/reconcile"
	testfairysim "fairbridge/pkg/testfairy/simulator"
)

// TestReconcile: a feedback whose webhook never reached the stack is found in TestFairy's
// list and becomes a ticket. When its webhook arrives after all, there is no second one.
func TestReconcile(t *testing.T) {
	// An old delivery, so that the ledger's history reaches back far enough.
	began := time.Now().UTC().Add(-72 * time.Hour)
	table := dynamotest.NewStore(t, bridge.dynamodb, bridge.stack.LedgerTable)
	// Other tests send feedback with neither a text nor a session. Such deliveries match
	// nothing in the list, and would make everything before them uncertain.
	var blank []string
	err := dynamotest.NewHistory(t, bridge.dynamodb, bridge.stack.LedgerTable).Search(t.Context(), ledger.Query{}, func(e ledger.Entry) bool {
		if e.About == nil || e.About.Text == "" && e.About.Session == "" {
			blank = append(blank, e.DeliveryID)
		}
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range blank {
		if err := table.Delete(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	old := strings.Repeat("0", 63) + "1"
	t.Cleanup(func() {
		if err := table.Delete(t.Context(), old); err != nil && t.Context().Err() == nil {
			t.Error(err)
		}
	})
	d, err := ledgertest.New(t, ledger.Config{Store: table, Now: func() time.Time { return began }}).Look(t.Context(), old, ledger.Message{})
	if err != nil {
		t.Fatal(err)
	}
	c, err := d.Claim(t.Context(), ledger.About{
		Kind: "feedback", App: "Demo App", Version: "1.0", Build: "1", Session: "/projects/11-demoapp/builds/584199/sessions/77", Text: "long ago",
	}, false)
	if err == nil {
		err = c.CreatedAndCompleted(t.Context(), "T-0")
	}
	if err != nil {
		t.Fatal(err)
	}

	payload := bridge.feedback(t, map[string]any{"sessionUrl": "https://app.testfairy.com/projects/11-demoapp/builds/584199/sessions/78", "screenshotUrl": nil})
	var webhook struct{ Text, Email string }
	if err := json.Unmarshal(payload, &webhook); err != nil {
		t.Fatal(err)
	}
	bridge.testfairy.AddFeedback(testfairysim.Feedback{
		FeedbackID: "78", RecordedAt: time.Now().UTC().Add(-20 * time.Hour).Format(time.DateTime), Text: webhook.Text, ReportedBy: webhook.Email,
		ProjectID: "11", BuildID: "584199", SessionID: "78",
	})
	bridge.waitIdle(t)
	run := func(want reconcile.State, sent bool, args ...string) (item reconcile.Item) {
		t.Helper()
		out, _ := bridge.command(t.Context(), "", append([]string{"reconcile", "--json", "--stack", stackName, "--user", testFairyUser}, args...)...)
		if err := json.Unmarshal(out, &item); err != nil || item.State != want || item.Sent != sent {
			t.Fatalf("%q: %v: %s", args, err, out)
		}
		return item
	}
	run(reconcile.Missing, false, "--dry-run")
	id := run(reconcile.OnItsWay, true, "--yes").DeliveryID
	ticket := bridge.ticket(t, id)
	if e := bridge.entry(t, id); e.About == nil || !e.About.Reconciled || e.About.App != "Demo App" {
		t.Errorf("the ledger has %+v", e.About)
	}
	if got := run(reconcile.Present, false, "--yes"); got.TicketID != ticket.ID {
		t.Errorf("it is ticket %s, want %s", got.TicketID, ticket.ID)
	}

	late := bridge.accept(t, payload)
	bridge.checkLetter(t, payload, queue.DeadLetter{
		DeliveryID: late, Event: "feedback", Reason: queue.ReasonAmbiguous, Stage: "create", Attempts: 1, Generation: 1, Description: "as delivery " + id,
	})
	if n := len(bridge.tickets(late)); n != 0 {
		t.Errorf("its webhook has made %d tickets", n)
	}
	bridge.mustRun(t, "", "dlq", "drop", late, "--stack", stackName, "--because", "reconciled", "--yes")
	bridge.checkNoLetters(t)
}
