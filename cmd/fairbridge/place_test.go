package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fairbridge/pkg/home"
	"fairbridge/pkg/secrets"
)

func TestStackIsFound(t *testing.T) {
	c := newCloud(t)
	at := place{Place: home.Place{Stack: stackName}, given: func(string) bool { return false }}
	found, err := at.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer found.Close()
	got := []string{found.WorkQueueURL, found.DeadLetterQueueURL, found.SecretsPrefix, found.Webhook(), found.Dashboard}
	want := []string{
		c.home.WorkQueueURL, c.home.DeadLetterQueueURL, "/fairbridge-prod/",
		"https://abc.execute-api.eu-central-1.amazonaws.com/webhooks/testfairy", "https://eu-central-1.console.aws.amazon.com/dashboard",
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	c.put(t, secrets.WebhookToken, "one\ntwo\n")
	if tokens, err := found.Tokens(t.Context()); err != nil || strings.Join(tokens, " ") != "one two" {
		t.Errorf("got %v, %v", tokens, err)
	}
}

func TestStackIsNotFound(t *testing.T) {
	tests := []struct {
		name string
		args string
		do   func(t *testing.T, c *cloud)
		code int
		want string
	}{
		{"no such stack", "--stack other", nil, exitLeft,
			"there is no stack other in eu-central-1 in this AWS account; check --stack, --region and --profile\n"},
		{"another region", "--stack other --region us-east-1", nil, exitLeft,
			"there is no stack other in us-east-1 in this AWS account; check --stack, --region and --profile\n"},
		{"not a name", "--stack a_b", nil, exitUsage, "\"a_b\" cannot be the name of a stack\nSee 'fairbridge secrets list --help'.\n"},
		{"empty name", "--stack=", nil, exitUsage, "--stack is empty; give the name of a stack\nSee 'fairbridge secrets list --help'.\n"},
		{"both places", "--stack a --data b", nil, exitUsage, "--stack and --data name two bridges; give one of them\nSee 'fairbridge secrets list --help'.\n"},
		{"region without stack", "--region us-east-1", nil, exitUsage, "--region and --profile go with --stack\nSee 'fairbridge secrets list --help'.\n"},
		{"profile without stack", "--profile x", nil, exitUsage, "--region and --profile go with --stack\nSee 'fairbridge secrets list --help'.\n"},
		{"another's stack", "--stack fairbridge-prod", func(_ *testing.T, c *cloud) { c.stack.Outputs = map[string]string{"Url": "x"} }, exitLeft,
			"stack fairbridge-prod in eu-central-1 is not a FairBridge stack: it lacks the expected outputs\n"},
		{"too old", "--stack fairbridge-prod", func(_ *testing.T, c *cloud) { delete(c.stack.Outputs, "DashboardUrl") }, exitLeft,
			"stack fairbridge-prod in eu-central-1 has no output DashboardUrl: it was deployed from an older template; deploy it again\n"},
		{"being created", "--stack fairbridge-prod", func(_ *testing.T, c *cloud) { c.stack.Outputs, c.stack.Status = nil, "CREATE_IN_PROGRESS" }, exitLeft,
			"stack fairbridge-prod in eu-central-1 is not ready (CREATE_IN_PROGRESS); try again when it is\n"},
		{"failed", "--stack fairbridge-prod", func(_ *testing.T, c *cloud) { c.stack.Outputs, c.stack.Status = nil, "ROLLBACK_COMPLETE" }, exitLeft,
			"stack fairbridge-prod in eu-central-1 failed (ROLLBACK_COMPLETE); 'sam delete' it and deploy again\n"},
		{"no region", "--stack fairbridge-prod", func(t *testing.T, _ *cloud) { t.Setenv("AWS_REGION", "") }, exitLeft,
			"no AWS region is set; give --region, or set AWS_REGION\n"},
		{"no profile", "--stack fairbridge-prod --profile nobody", nil, exitLeft,
			"there is no AWS profile \"nobody\"; 'aws configure list-profiles' lists those there are\n"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := newCloud(t)
			if test.do != nil {
				test.do(t, c)
			}
			got := runCommand(t, "", append([]string{"secrets", "list"}, strings.Fields(test.args)...)...)
			got.want(t, test.code, "", "fairbridge: "+test.want)
		})
	}
}

func TestStackWithoutCredentials(t *testing.T) {
	c := newCloud(t)
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "")
	got := runCommand(t, "", "secrets", "list", "--stack", stackName)
	if want := "fairbridge: there are no AWS credentials; sign in ('aws sso login', 'aws configure'), or name a profile with --profile: "; got.code != exitLeft || !strings.HasPrefix(got.err, want) {
		t.Errorf("exit code %d: %s", got.code, got.err)
	}
	if len(c.calls) > 0 {
		t.Errorf("called %v", c.calls)
	}
}

func TestStackOfProfile(t *testing.T) {
	newCloud(t)
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "")
	t.Setenv("AWS_REGION", "")
	file := filepath.Join(t.TempDir(), "config")
	t.Setenv("AWS_CONFIG_FILE", file)
	profile := "[profile qa]\nregion = eu-west-1\naws_access_key_id = AKIAQA\naws_secret_access_key = secret\n"
	if err := os.WriteFile(file, []byte(profile), 0o600); err != nil {
		t.Fatal(err)
	}
	got := runCommand(t, "", "secrets", "list", "--stack", "other", "--profile", "qa")
	got.want(t, exitLeft, "", "fairbridge: there is no stack other in eu-west-1 in this AWS account; check --stack, --region and --profile\n")
}

func TestNoBridgeInFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "nothing")
	got := runCommand(t, "", "secrets", "list", "--data", dir)
	got.want(t, exitLeft, "", "fairbridge: there is no bridge in "+dir+"; start one with 'fairbridge run', or name another with --data or --stack\n")
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Error("the folder was created")
	}
}
