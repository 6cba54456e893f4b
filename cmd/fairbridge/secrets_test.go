package main

import (
	"regexp"
	"strings"
	"testing"

	"fairbridge/pkg/secrets"
)

func TestSecretsOfStack(t *testing.T) {
	c := newCloud(t)
	put := func(stdin string, args ...string) ran {
		t.Helper()
		return runCommand(t, stdin, append([]string{"secrets", "put", "--stack", stackName}, args...)...)
	}
	put("s3cret-key\r\n", secrets.CentercodeAPIKey).want(t, exitDone, "",
		"Stored centercode-api-key. A running bridge reads it within 5 minutes, and at once if the old one is rejected.\n")
	if value, kind := c.secret(t, secrets.CentercodeAPIKey); value != "s3cret-key" || kind != "SecureString" {
		t.Errorf("stored %q as %s", value, kind)
	}

	put("", secrets.WebhookToken, "--rotate").want(t, exitLeft, "",
		"fairbridge: there is no webhook-token yet; make one: fairbridge secrets put webhook-token --generate --stack fairbridge-prod\n")
	put("", secrets.WebhookToken, "--generate").want(t, exitDone, "",
		"Stored a new webhook-token. Next: fairbridge webhook register --stack fairbridge-prod\n")
	first, kind := c.secret(t, secrets.WebhookToken)
	if !regexp.MustCompile(`^[A-Z2-7]{26}$`).MatchString(first) || kind != "SecureString" {
		t.Errorf("generated %q as %s", first, kind)
	}
	put("", secrets.WebhookToken, "--generate").want(t, exitLeft, "",
		"fairbridge: there is a webhook-token already; to replace it: fairbridge secrets put webhook-token --rotate --stack fairbridge-prod\n")

	put("", secrets.WebhookToken, "--rotate").want(t, exitDone, "", `Stored a new webhook-token; the previous one is still accepted.
Next: fairbridge webhook register --stack fairbridge-prod
Then: fairbridge secrets put webhook-token --drop-previous --stack fairbridge-prod
`)
	both, _ := c.secret(t, secrets.WebhookToken)
	second, previous, found := strings.Cut(both, "\n")
	if !found || previous != first || len(second) != 26 || second == first {
		t.Errorf("rotated from %q to %q", first, both)
	}
	put("", secrets.WebhookToken, "--rotate").want(t, exitLeft, "",
		"fairbridge: the webhook-token is being replaced already; first: fairbridge webhook register --stack fairbridge-prod; "+
			"then: fairbridge secrets put webhook-token --drop-previous --stack fairbridge-prod\n")
	put("", secrets.WebhookToken, "--drop-previous").want(t, exitDone, "",
		"Only the newest webhook-token is accepted now; a running bridge notices within 5 minutes.\n")
	if value, _ := c.secret(t, secrets.WebhookToken); value != second {
		t.Errorf("dropped the previous of %q to %q", both, value)
	}
	put("", secrets.WebhookToken, "--drop-previous").want(t, exitDone, "", "There is no previous webhook-token.\n")
}

// TestSecretsPutWarns checks that a value with typical mistakes is stored, with a warning
// that names them.
func TestSecretsPutWarns(t *testing.T) {
	c := newCloud(t)
	const stored = "Stored centercode-api-key. A running bridge reads it within 5 minutes, and at once if the old one is rejected.\n"
	for value, note := range map[string]string{
		"k3y":            "",
		" k3y\n":         "",
		"k 3y":           "This value contains a space, which is unusual for centercode-api-key: if it was mistyped, store it again.\n",
		"k\u00e9y":       "This value contains a character that is not ASCII, which is unusual for centercode-api-key: if it was mistyped, store it again.\n",
		"k\u00a03\u00e9": "This value contains a space and a character that is not ASCII, which is unusual for centercode-api-key: if it was mistyped, store it again.\n",
	} {
		runCommand(t, value, "secrets", "put", secrets.CentercodeAPIKey, "--stack", stackName).want(t, exitDone, "", stored+note)
		if got, _ := c.secret(t, secrets.CentercodeAPIKey); got != strings.TrimSpace(value) {
			t.Errorf("stored %q", got)
		}
	}
}

func TestSecretsPutRefuses(t *testing.T) {
	newCloud(t)
	tests := []struct {
		name, stdin string
		args        string
		want        string
	}{
		{"no name", "x", "", "give a name: centercode-api-key, testfairy-api-key, webhook-token, console-password"},
		{"another name", "x", "api-key", `there is no secret "api-key"; the names are centercode-api-key, testfairy-api-key, webhook-token, console-password`},
		{"a value", "x", "webhook-token s3cret", "a value is not accepted as an argument: the shell's history has it now, so replace it, and run the command without it"},
		{"nothing", " \r\n", "webhook-token", "the value of webhook-token is empty"},
		{"too long", strings.Repeat("x", 4097), "webhook-token", "the value of webhook-token is longer than 4096 bytes"},
		{"two lines", "s3cret\ns3cret", "centercode-api-key", "the value of centercode-api-key must be one line; this one has 2"},
		{"three tokens", "s3cret\n\ns3cret2\ns3cret3", "webhook-token", "webhook-token may have two lines, the new token and the previous one; this value has 3"},
		{"control character", "s3c\x00ret", "centercode-api-key", "the value of centercode-api-key contains a control character"},
		{"a generated key", "", "centercode-api-key --generate", "--generate, --rotate and --drop-previous are for webhook-token; others make the value of centercode-api-key"},
		{"two ways", "", "webhook-token --generate --rotate", "give one of --generate, --rotate and --drop-previous"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			args := append([]string{"secrets", "put", "--stack", stackName}, strings.Fields(test.args)...)
			runCommand(t, test.stdin, args...).want(t, exitUsage, "", "fairbridge: "+test.want+"\nSee 'fairbridge secrets put --help'.\n")
		})
	}
}

func TestSecretsOfFolder(t *testing.T) {
	newCloud(t)
	dir := t.TempDir() + "/home"
	runCommand(t, "k3y", "secrets", "put", secrets.CentercodeAPIKey, "--data", dir).want(t, exitDone, "",
		"Stored centercode-api-key. A running bridge reads it within 5 minutes, and at once if the old one is rejected.\n")
	t.Setenv("FAIRBRIDGE_TESTFAIRY_API_KEY", "from-outside")
	runCommand(t, "k3y", "secrets", "put", secrets.TestFairyAPIKey, "--data", dir).want(t, exitDone, "",
		"Stored testfairy-api-key. A running bridge reads it within 5 minutes, and at once if the old one is rejected.\n"+
			"Note that FAIRBRIDGE_TESTFAIRY_API_KEY is set here: a bridge that has it uses it instead.\n")

	got := runCommand(t, "", "secrets", "list", "--data", dir)
	want := regexp.MustCompile(`^centercode-api-key  since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC \(version 1\)
testfairy-api-key   in the environment variable FAIRBRIDGE_TESTFAIRY_API_KEY
webhook-token       missing
$`)
	if got.code != exitDone || !want.MatchString(got.out) || got.err != "" {
		t.Errorf("got %+v", got)
	}
}

func TestSecretsListRefused(t *testing.T) {
	c := newCloud(t)
	c.denied = "AmazonSSM.GetParameter"
	const hidden = "not for these AWS credentials to see\n"
	runCommand(t, "", "secrets", "list", "--stack", stackName).want(t, exitDone,
		"centercode-api-key  "+hidden+"testfairy-api-key   "+hidden+"webhook-token       "+hidden, "")
}
