//go:build e2e

package e2e

import (
	"slices"
	"testing"
	"time"

	"fairbridge/pkg/ledger"
	"fairbridge/pkg/testfairy"
	testfairysim "fairbridge/pkg/testfairy/simulator"
)

// TestHandOver: a feedback with a slow screenshot has its ticket before the screenshot,
// goes through the files queue, and is complete in the end.
func TestHandOver(t *testing.T) {
	const path = "/late.jpg"
	bridge.testfairy.Inject(path, testfairysim.Fault{Times: 1, Delay: time.Minute})
	payload := bridge.feedback(t, map[string]any{"screenshotUrl": "https://app.testfairy.com" + path})
	event, err := testfairy.Decode(payload)
	if err != nil {
		t.Fatal(err)
	}
	bridge.accept(t, payload)
	eventually(t, "the ticket is there", func() bool { return bridge.entry(t, event.DeliveryID()).State == ledger.Created })
	bridge.checkTicket(t, event)
	bridge.waitIdle(t)
	e := bridge.entry(t, event.DeliveryID())
	if e.Attempts != 2 || len(e.Tried) != 2 || e.Waited != 0 {
		t.Errorf("the ledger has %+v", e)
	}
	if !slices.Contains(outcomes(t, bridge.logs(t, "/aws/lambda/"+stackName+"-worker")), event.DeliveryID()+" handed_over") {
		t.Error("the log does not say that it was handed over")
	}
}
