package main

import (
	"strings"
	"testing"
)

// TestCheckStack: the table left by an earlier stack may lack what the bridge needs. check
// and status report it, with the command that adds it.
func TestCheckStack(t *testing.T) {
	c := newCloud(t)
	runCommand(t, "", "check", "--stack", stackName).want(t, exitDone, "the ledger's table ledger has all that it needs\n", "")

	delete(c.table["Table"].(map[string]any), "GlobalSecondaryIndexes")
	const lack = "the ledger's table ledger has no index attention, so what waits for a person is not seen: aws dynamodb update-table --table-name ledger "
	got := runCommand(t, "", "check", "--stack", stackName, "--region", "eu-central-1")
	if got.code != exitLeft || !strings.HasPrefix(got.out, lack) || !strings.HasSuffix(got.out, "--region eu-central-1\n") {
		t.Errorf("exit code %d: %s%s", got.code, got.out, got.err)
	}
	if s := statusOf(t, exitLeft, "--stack", stackName); !strings.HasPrefix(strings.Join(s.Problems, "\n"), lack) {
		t.Errorf("problems %q", s.Problems)
	}
	runCommand(t, "", "check", "--stack", stackName, "--payload", "x").want(t, exitUsage, "",
		"fairbridge: --stack is about the ledger's table and goes with no file\nSee 'fairbridge check --help'.\n")
}

// TestStatusWithoutSecrets checks that a user without access to the secrets sees everything
// else, and no message that they are missing.
func TestStatusWithoutSecrets(t *testing.T) {
	c := newCloud(t)
	c.stack.Parameters["CentercodeBaseUrl"] = ""
	c.denied = "AmazonSSM.GetParameter"
	got := runCommand(t, "", "status", "--stack", stackName)
	if strings.Contains(got.out, "missing") || !strings.Contains(got.out, "webhook-token       not for these AWS credentials to see") {
		t.Errorf("exit code %d: %s%s", got.code, got.out, got.err)
	}
}
