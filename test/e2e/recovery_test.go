//go:build e2e

package e2e

import (
	"testing"

	centercodesim "fairbridge/pkg/centercode/simulator"
	"fairbridge/pkg/queue"
	"fairbridge/pkg/secrets"
)

// TestServerError: while Centercode answers 500, a delivery is retried; then it becomes one
// ticket.
func TestServerError(t *testing.T) {
	payload := bridge.feedback(t, nil)
	id := deliveryID(t, payload)
	bridge.centercode.Inject(centercodesim.Fault{Op: centercodesim.OpCreate, Match: creating(id), Times: 2, Status: 500})
	bridge.accept(t, payload)
	bridge.ticket(t, id)
	if attempts := bridge.entry(t, id).Attempts; attempts != 3 {
		t.Errorf("%d attempts, want 3", attempts)
	}
}

// TestLostAnswer: the ticket is made, but the answer is lost. With a look-up there is one
// ticket, without a person.
func TestLostAnswer(t *testing.T) {
	payload := bridge.feedback(t, map[string]any{"appName": "Looked up"})
	id := deliveryID(t, payload)
	bridge.centercode.Inject(centercodesim.Fault{Op: centercodesim.OpCreate, Match: creating(id), After: true, Drop: true})
	bridge.accept(t, payload)
	bridge.ticket(t, id)
}

// TestAmbiguous: without a look-up it is left to a person, who finds the ticket.
func TestAmbiguous(t *testing.T) {
	payload := bridge.feedback(t, map[string]any{"appName": "Parked"})
	id := deliveryID(t, payload)
	bridge.centercode.Inject(centercodesim.Fault{Op: centercodesim.OpCreate, Match: creating(id), After: true, Drop: true})
	bridge.accept(t, payload)
	bridge.checkLetter(t, payload, queue.DeadLetter{
		DeliveryID: id, Event: "feedback", Reason: queue.ReasonAmbiguous, Stage: "create", Attempts: 1, Generation: 1,
	})
	tickets := bridge.tickets(id)
	if len(tickets) != 1 {
		t.Fatalf("%d tickets", len(tickets))
	}
	bridge.mustRun(t, "", "dlq", "replay", id, "--as-created", tickets[0].ID, "--stack", stackName, "--yes", "--wait")
	bridge.ticket(t, id)
	bridge.checkNoLetters(t)
}

// TestKeyRotation: Centercode has a new key. What arrives before the key is in SSM waits;
// then it becomes a ticket, without a deploy.
func TestKeyRotation(t *testing.T) {
	bridge.centercode.SetAPIKeys(secondKey)
	id := bridge.accept(t, bridge.feedback(t, nil))
	eventually(t, "Centercode has refused the old key", func() bool {
		last := bridge.entry(t, id).Last
		return last != nil && last.Status == 401
	})
	if n := bridge.depth(t, bridge.stack.DeadLetterQueueURL); n != 0 {
		t.Errorf("%d dead letters", n)
	}
	bridge.mustRun(t, secondKey, "secrets", "put", secrets.CentercodeAPIKey, "--stack", stackName)
	bridge.ticket(t, id)
}
