//go:build e2e

package e2e

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"fairbridge/pkg/secrets"
	testfairysim "fairbridge/pkg/testfairy/simulator"
)

// TestStatus: the command reports a bridge that needs nobody, and one that needs somebody.
func TestStatus(t *testing.T) {
	type status struct {
		Webhook   string
		WorkQueue struct{ Waiting, InWork, Delayed int }
		Secrets   []struct {
			Name   string
			Exists bool
		}
		Centercode struct {
			BaseURL string
			Answers bool
		}
		Deliveries []struct{ DeliveryID, State, TicketID string }
		Problems   []string
	}
	read := func(out string) (s status) {
		t.Helper()
		if err := json.Unmarshal([]byte(out), &s); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return s
	}
	id := bridge.accept(t, bridge.feedback(t, nil))
	ticket := bridge.ticket(t, id)
	bridge.waitIdle(t)

	well := read(bridge.mustRun(t, "", "status", "--stack", stackName, "--json"))
	if well.Webhook != bridge.stack.WebhookURL || well.Centercode.BaseURL != bridge.centercode.URL || !well.Centercode.Answers || len(well.Problems) > 0 {
		t.Errorf("%+v", well)
	}
	for _, secret := range well.Secrets {
		if !secret.Exists {
			t.Errorf("%s is missing", secret.Name)
		}
	}
	if len(well.Deliveries) == 0 || well.Deliveries[0].DeliveryID != id || well.Deliveries[0].State != "completed" || well.Deliveries[0].TicketID != ticket.ID {
		t.Errorf("the last delivery is not %s with ticket %s: %+v", id, ticket.ID, well.Deliveries)
	}

	dead := bridge.accept(t, bridge.feedback(t, map[string]any{"appName": "Elsewhere"}))
	bridge.letter(t, dead)
	out, err := bridge.command(t.Context(), "", "status", "--stack", stackName, "--json")
	if err == nil {
		t.Error("a bridge with a dead letter has exit code 0")
	}
	ill := read(string(out))
	if !slices.ContainsFunc(ill.Problems, func(p string) bool {
		return strings.Contains(p, "1 dead letter") && strings.Contains(p, "dlq list --stack "+stackName)
	}) {
		t.Errorf("problems: %q", ill.Problems)
	}
	bridge.mustRun(t, "", "dlq", "drop", dead, "--stack", stackName, "--because", "a test", "--yes")
	bridge.checkNoLetters(t)
}

// TestSend: the command sends a file as TestFairy does, to the address that it finds by the
// stack's name.
func TestSend(t *testing.T) {
	file := filepath.Join("events", "feedback-no-screenshot.json")
	id := deliveryID(t, bridge.payload(t, "feedback-no-screenshot.json"))
	if got, want := bridge.mustRun(t, "", "send", file, "--stack", stackName), file+`: HTTP 202 {"deliveryId":"`+id+`"}`; got != want {
		t.Errorf("printed %s, want %s", got, want)
	}
	bridge.ticket(t, id)
	if out, err := bridge.command(t.Context(), "", "send", filepath.Join("events", "invalid", "not-an-object.json"), "--stack", stackName); err == nil {
		t.Errorf("a payload that was not taken has exit code 0: %s", out)
	}
}

// TestWebhookRegister: the command registers the webhook with its token at TestFairy, and
// never shows the token.
func TestWebhookRegister(t *testing.T) {
	for range 2 { // the second time there is nothing to do
		out := bridge.mustRun(t, "", "webhook", "register", "--stack", stackName, "--user", testFairyUser)
		bridge.checkNoSecret(t, "the output", out)
	}
	ours := slices.DeleteFunc(bridge.testfairy.Webhooks(), func(w testfairysim.Webhook) bool { return w.Name != "FairBridge ("+stackName+")" })
	if len(ours) != 1 || ours[0].URL != bridge.webhook(t) || ours[0].Status != "true" {
		t.Errorf("TestFairy has %+v", ours)
	}
	if out := bridge.mustRun(t, "", "webhook", "list", "--stack", stackName, "--user", testFairyUser); !strings.Contains(out, "current") {
		t.Errorf("fairbridge webhook list: %s", out)
	}
}

// TestSecretsAreEncrypted: the command stores a SecureString, and lists it without its
// value.
func TestSecretsAreEncrypted(t *testing.T) {
	bridge.checkNoSecret(t, "the list", bridge.mustRun(t, "", "secrets", "list", "--stack", stackName))
	for _, name := range []string{secrets.WebhookToken, secrets.CentercodeAPIKey, secrets.TestFairyAPIKey} {
		out, err := bridge.ssm.GetParameter(t.Context(), bridge.parameterInput(name, false))
		if err != nil {
			t.Fatal(err)
		}
		if out.Parameter.Type != "SecureString" {
			t.Errorf("%s is a %s", name, out.Parameter.Type)
		}
		bridge.checkNoSecret(t, "what is stored", *out.Parameter.Value)
	}
}
