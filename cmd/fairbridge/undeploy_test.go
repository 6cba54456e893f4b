package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// undeploy runs 'fairbridge undeploy' for the stack, without the minute that AWS may need.
func undeploy(t *testing.T, args ...string) ran {
	t.Helper()
	return runCommand(t, "", append([]string{"undeploy", "--stack", stackName, "--settle", "0s", "--yes"}, args...)...)
}

// checkStays checks that a stack which was not deleted is unchanged.
func (c *cloud) checkStays(t *testing.T) {
	t.Helper()
	if c.stack.Status != "CREATE_COMPLETE" || c.policy != policyBefore {
		t.Errorf("stack status %s, queue policy %s", c.stack.Status, c.policy)
	}
}

const policyBefore = `{"Statement":[{"Effect":"Deny","Principal":"*","Sid":"OnlyOverTLS"}],"Version":"2012-10-17"}`

func TestUndeploy(t *testing.T) {
	c, server := newDashboard(t)
	c.policy = policyBefore
	webhookCommand(t, "register")
	var policies []string
	c.policed = func(policy string) {
		policies = append(policies, policy)
		if len(server.Webhooks()) > 0 {
			t.Error("the queue rejects messages while TestFairy still sends")
		}
	}
	got := undeploy(t)
	if got.code != exitDone || c.stack.Status != "DELETE_COMPLETE" || !strings.Contains(got.out, "deploy with the parameter LedgerTableName=ledger\n") {
		t.Errorf("exit code %d, the stack is %s\n%s%s", got.code, c.stack.Status, got.out, got.err)
	}
	if len(policies) != 1 || !strings.Contains(policies[0], `"OnlyOverTLS"`) || !strings.Contains(policies[0], `"Action":"sqs:SendMessage"`) {
		t.Errorf("the queue got the policies %q", policies)
	}
	if left := server.Webhooks(); len(left) != 0 {
		t.Errorf("TestFairy still has %v", left)
	}
	if value, _ := c.secret(t, "webhook-token"); value != webhookToken {
		t.Error("the token is gone")
	}
}

// TestUndeployRefuses checks that nothing is changed while anything would be lost.
func TestUndeployRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		queue func(*cloud) string
		args  []string
		text  string
	}{
		"waiting":            {func(c *cloud) string { return c.home.WorkQueueURL }, nil, "1 waiting in the queue would be lost"},
		"waiting, exporting": {func(c *cloud) string { return c.home.WorkQueueURL }, []string{"--export", "letters.jsonl"}, "1 waiting in the queue would be lost"},
		"dead":               {func(c *cloud) string { return c.home.DeadLetterQueueURL }, nil, "1 dead letters would be lost with it"},
	} {
		c, server := newDashboard(t)
		c.policy = policyBefore
		webhookCommand(t, "register")
		send(t, c, test.queue(c))
		got := undeploy(t, test.args...)
		if got.code != exitLeft || !strings.Contains(got.err, test.text) || len(server.Webhooks()) != 1 {
			t.Errorf("%s: exit code %d, TestFairy has %v\n%s%s", name, got.code, server.Webhooks(), got.out, got.err)
		}
		c.checkStays(t)
	}
}

// TestUndeployMeetsTheLast checks that a feedback which arrives between the check and the
// closing is not lost: the stack continues.
func TestUndeployMeetsTheLast(t *testing.T) {
	c, _ := newDashboard(t)
	c.policy = policyBefore
	first := true
	c.policed = func(string) {
		if first {
			first = false
			send(t, c, c.home.DeadLetterQueueURL)
		}
	}
	got := undeploy(t)
	if got.code != exitLeft || !strings.Contains(got.err, "the stack continues as before") || !strings.Contains(got.err, "1 dead letters would be lost") {
		t.Errorf("exit code %d\n%s%s", got.code, got.out, got.err)
	}
	c.checkStays(t)
}

// TestUndeployIsRefused checks that a deletion that AWS refuses restores the stack; after a
// kill, --reopen does.
func TestUndeployIsRefused(t *testing.T) {
	c, _ := newDashboard(t)
	c.policy = policyBefore
	c.policed = func(policy string) {
		if policy != policyBefore {
			c.denied = "CloudFormation"
		}
	}
	got := undeploy(t, "--keep-webhook")
	if got.code != exitLeft || !strings.Contains(got.err, "api error") || strings.Contains(got.err, "still answers 503") {
		t.Errorf("exit code %d\n%s%s", got.code, got.out, got.err)
	}
	c.checkStays(t)

	c.denied, c.policed = "", nil
	c.policy = `{"Statement":[{"Effect":"Deny","Principal":"*","Sid":"OnlyOverTLS"},{"Sid":"FairBridgeIsTakenDown"}],"Version":"2012-10-17"}`
	if got := undeploy(t, "--reopen"); got.code != exitDone {
		t.Errorf("exit code %d: %s", got.code, got.err)
	}
	c.checkStays(t)
}

func TestUndeployExports(t *testing.T) {
	c, _ := newDashboard(t)
	send(t, c, c.home.DeadLetterQueueURL)
	file := filepath.Join(t.TempDir(), "letters.jsonl")
	got := undeploy(t, "--export", file)
	letters, err := os.ReadFile(file)
	if err != nil || got.code != exitDone || strings.Count(string(letters), "\n") != 1 || c.stack.Status != "DELETE_COMPLETE" {
		t.Errorf("exit code %d, the stack is %s, %v: %s\n%s%s", got.code, c.stack.Status, err, letters, got.out, got.err)
	}
}

// TestUndeployWithoutAccount checks that without TestFairy's key the command explains what
// to do.
func TestUndeployWithoutAccount(t *testing.T) {
	c := newCloud(t)
	got := undeploy(t)
	if got.code != exitDone || c.stack.Status != "DELETE_COMPLETE" || !strings.Contains(got.err, "remove the webhook yourself") ||
		!strings.Contains(got.err, stackWebhook) {
		t.Errorf("exit code %d, the stack is %s\n%s%s", got.code, c.stack.Status, got.out, got.err)
	}
	for args, text := range map[string]string{
		"undeploy --yes":                        "undeploy is for a stack; name it with --stack",
		"undeploy --stack " + stackName:         "there is no terminal to ask for confirmation: add --yes",
		"undeploy --stack x --settle -1s --yes": "--settle must not be negative",
	} {
		if got := runCommand(t, "", strings.Fields(args)...); got.code != exitUsage || !strings.Contains(got.err, text) {
			t.Errorf("%s: exit code %d: %s", args, got.code, got.err)
		}
	}
}
