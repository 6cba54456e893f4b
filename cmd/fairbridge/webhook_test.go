package main

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"fairbridge/pkg/secrets"
	testfairysim "fairbridge/pkg/testfairy/simulator"
)

const (
	testfairyUser = "qa@example.com"
	testfairyKey  = "testfairy-k3y"
	webhookToken  = "T0KENT0KENT0KENT0KEN"
	stackWebhook  = "https://abc.execute-api.eu-central-1.amazonaws.com/webhooks/testfairy"
)

// newDashboard starts a TestFairy, and a stack with the account's API key and a token.
func newDashboard(t *testing.T) (*cloud, *testfairysim.Server) {
	t.Helper()
	c := newCloud(t)
	c.put(t, secrets.TestFairyAPIKey, testfairyKey)
	c.put(t, secrets.WebhookToken, webhookToken)
	server := testfairysim.New(testfairysim.Config{Account: testfairyUser, APIKey: testfairyKey})
	srv := httptest.NewServer(server.Handler())
	t.Cleanup(srv.Close)
	t.Setenv(userVariable, testfairyUser)
	t.Setenv(baseVariable, srv.URL)
	return c, server
}

// webhookCommand runs `fairbridge webhook` for the stack.
func webhookCommand(t *testing.T, args ...string) ran {
	t.Helper()
	got := runCommand(t, "", append(append([]string{"webhook"}, args...), "--stack", stackName)...)
	if strings.Contains(got.err, webhookToken) || strings.Contains(got.out+got.err, testfairyKey) {
		t.Errorf("%v prints a secret: %+v", args, got)
	}
	return got
}

func TestWebhookRegister(t *testing.T) {
	c, server := newDashboard(t)
	webhookCommand(t, "register", "--dry-run").want(t, exitDone,
		"Would be added: webhook \"FairBridge (fairbridge-prod)\", feedback and crash to "+stackWebhook+"\n", "")
	if got := server.Webhooks(); len(got) != 0 {
		t.Errorf("the dry run added %v", got)
	}
	webhookCommand(t, "register").want(t, exitDone,
		"Added: webhook 1 \"FairBridge (fairbridge-prod)\", feedback and crash to "+stackWebhook+"\n", "")
	want := testfairysim.Webhook{
		ID: 1, Status: "true", Name: "FairBridge (fairbridge-prod)", URL: stackWebhook + "?token=" + webhookToken, Actions: "feedback,crash",
	}
	wantWebhooks := func() {
		t.Helper()
		if got := server.Webhooks(); len(got) != 1 || got[0] != want {
			t.Errorf("TestFairy has %+v\nwant %+v", got, want)
		}
	}
	wantWebhooks()
	webhookCommand(t, "register").want(t, exitDone,
		"TestFairy has it already: webhook 1 \"FairBridge (fairbridge-prod)\", feedback and crash to "+stackWebhook+"\n", "")
	wantWebhooks()

	// A rotated token, and other options.
	c.put(t, secrets.WebhookToken, "N3W\n"+webhookToken)
	webhookCommand(t, "register", "--events", "feedback", "--projects", "12,34", "--name", "QA").want(t, exitDone,
		"Changed: webhook 1 \"QA\", feedback to "+stackWebhook+", projects 12, 34 (changed: name, token, events, projects)\n", "")
	want.Name, want.URL, want.Actions, want.ProjectIDs = "QA", stackWebhook+"?token=N3W", "feedback", "12,34"
	wantWebhooks()

	// Projects stay as they are unless given.
	webhookCommand(t, "register", "--events", "feedback").want(t, exitDone,
		"Changed: webhook 1 \"FairBridge (fairbridge-prod)\", feedback to "+stackWebhook+", projects 12, 34 (changed: name)\n", "")
	want.Name = "FairBridge (fairbridge-prod)"
	wantWebhooks()

	// A new deployment has another address; the webhook is recognised by its name.
	c.stack.Outputs["WebhookUrl"] = "https://new.example.com/webhooks/testfairy"
	webhookCommand(t, "register", "--events", "feedback").want(t, exitDone,
		"Changed: webhook 1 \"FairBridge (fairbridge-prod)\", feedback to https://new.example.com/webhooks/testfairy, projects 12, 34 (changed: address)\n", "")
	want.URL = "https://new.example.com/webhooks/testfairy?token=N3W"
	wantWebhooks()
}

// TestWebhookOnTheNewPlatform: it has no webhook for feedback, which is reported whether it
// refuses the webhook or seems to accept it.
func TestWebhookOnTheNewPlatform(t *testing.T) {
	newDashboard(t)
	for _, tt := range []struct {
		options testfairysim.Config
		path    string
		fault   testfairysim.Fault
		args    []string
		code    int
		warned  bool
	}{
		{testfairysim.Config{NewPlatform: true, Sunset: time.Date(2026, 12, 31, 0, 0, 0, 0, time.UTC)}, "", testfairysim.Fault{}, nil, exitLeft, true},
		{testfairysim.Config{Sunset: time.Date(2026, 12, 31, 0, 0, 0, 0, time.UTC)}, "", testfairysim.Fault{}, nil, exitDone, true},
		{testfairysim.Config{Sunset: time.Date(2026, 12, 31, 0, 0, 0, 0, time.UTC)}, "", testfairysim.Fault{}, []string{"--events", "upload"}, exitDone, false},
		{testfairysim.Config{}, "/api/1/webhooks/", testfairysim.Fault{Status: 410}, nil, exitLeft, true},
		{testfairysim.Config{}, "/api/1/webhooks/", testfairysim.Fault{Status: 500}, nil, exitLeft, false},
		{testfairysim.Config{}, "", testfairysim.Fault{}, nil, exitDone, false},
	} {
		server := testfairysim.New(tt.options)
		if tt.path != "" {
			server.Inject(tt.path, tt.fault)
		}
		srv := httptest.NewServer(server.Handler())
		t.Cleanup(srv.Close)
		t.Setenv(baseVariable, srv.URL)
		got := webhookCommand(t, append([]string{"register"}, tt.args...)...)
		if got.code != tt.code || strings.Contains(got.err, "none for feedback: no feedback will come from it") != tt.warned {
			t.Errorf("%+v %q: %+v", tt.options, tt.path, got)
		}
	}
}

func TestWebhookOfAnotherIsLeftAlone(t *testing.T) {
	_, server := newDashboard(t)
	// That of another stack in the same account.
	other := runCommand(t, "", "webhook", "register", "--stack", stackName,
		"--url", "https://dev.example.com/webhooks/testfairy", "--name", "FairBridge (fairbridge-dev)")
	if other.code != exitDone {
		t.Fatalf("%+v", other)
	}
	webhookCommand(t, "register").want(t, exitDone,
		"Added: webhook 2 \"FairBridge (fairbridge-prod)\", feedback and crash to "+stackWebhook+"\n", "")
	if got := server.Webhooks(); len(got) != 2 || got[0].Name != "FairBridge (fairbridge-dev)" {
		t.Errorf("TestFairy has %+v", got)
	}
	webhookCommand(t, "list").want(t, exitDone, `ID  ON   NAME                          EVENTS          PROJECTS  TOKEN    ADDRESS
1   yes  FairBridge (fairbridge-dev)   feedback,crash  -         -        https://dev.example.com/webhooks/testfairy
2   yes  FairBridge (fairbridge-prod)  feedback,crash  -         current  `+stackWebhook+"\n", "")
}

func TestWebhookList(t *testing.T) {
	c, _ := newDashboard(t)
	webhookCommand(t, "list").want(t, exitDone, "no webhooks\n", "")
	webhookCommand(t, "register")
	token := func(value, want string) {
		t.Helper()
		c.put(t, secrets.WebhookToken, value)
		got := webhookCommand(t, "list", "--json")
		wantOut := `{"webhook":{"id":"1","enabled":true,"name":"FairBridge (fairbridge-prod)","address":"` + stackWebhook +
			`","actions":["feedback","crash"],"projectIds":null},"token":"` + want + `"}` + "\n"
		got.want(t, exitDone, wantOut, "")
	}
	token(webhookToken, "current")
	token("N3W\n"+webhookToken, "previous")
	token("N3W", "wrong")
}

func TestWebhookPrint(t *testing.T) {
	newDashboard(t)
	webhookCommand(t, "register", "--print").want(t, exitDone, `In TestFairy's dashboard, Preferences > Integrations > Add Integration:
  name  FairBridge (fairbridge-prod)
  URL   `+stackWebhook+`?token=...
  tick  User feedback, Crash

The token is shown here as "...", since whoever has it can send to the bridge.
To see the URL to copy: fairbridge webhook register --print --show-token --stack fairbridge-prod
`, "")
	webhookCommand(t, "register", "--print", "--show-token", "--events", "feedback").want(t, exitDone, `In TestFairy's dashboard, Preferences > Integrations > Add Integration:
  name  FairBridge (fairbridge-prod)
  URL   `+stackWebhook+`?token=`+webhookToken+`
  tick  User feedback

Keep this URL to yourself: whoever has it can send to the bridge.
`, "")
}

func TestWebhookWithoutAccount(t *testing.T) {
	c, server := newDashboard(t)
	const printed = `In TestFairy's dashboard, Preferences > Integrations > Add Integration:
  name  FairBridge (fairbridge-prod)
  URL   ` + stackWebhook + `?token=...
  tick  User feedback, Crash

The token is shown here as "...", since whoever has it can send to the bridge.
To see the URL to copy: fairbridge webhook register --print --show-token --stack fairbridge-prod
`
	t.Setenv(userVariable, "")
	webhookCommand(t, "register").want(t, exitLeft, printed,
		"fairbridge: no credentials for TestFairy's REST API: give the account's email address with --user or TESTFAIRY_USER\n\n")
	webhookCommand(t, "list").want(t, exitLeft, "",
		"fairbridge: no credentials for TestFairy's REST API: give the account's email address with --user or TESTFAIRY_USER\n")
	c.stack.Outputs["SecretsPrefix"] = "/other/"
	webhookCommand(t, "register", "--user", testfairyUser).want(t, exitLeft, "",
		"fairbridge: there is no webhook-token yet; make one: fairbridge secrets put webhook-token --generate --stack fairbridge-prod\n")
	runCommand(t, "", "secrets", "put", "webhook-token", "--generate", "--stack", stackName)
	webhookCommand(t, "register", "--user", testfairyUser).want(t, exitLeft, printed,
		"fairbridge: no credentials for TestFairy's REST API: store the account's API key: fairbridge secrets put testfairy-api-key --stack fairbridge-prod\n\n")
	if got := server.Webhooks(); len(got) != 0 {
		t.Errorf("TestFairy has %v", got)
	}
}

func TestWebhookRefused(t *testing.T) {
	_, server := newDashboard(t)
	webhookCommand(t, "register", "--user", "other@example.com").want(t, exitLeft, "",
		"fairbridge: TestFairy: list webhooks: user or API key refused: wrong credentials (HTTP 401)\n")
	server.Inject("/api/1/webhook/", testfairysim.Fault{Status: 500, Times: 1})
	webhookCommand(t, "register").want(t, exitLeft, "", "fairbridge: TestFairy: add webhook (HTTP 500)\n")
	if got := server.Webhooks(); len(got) != 0 {
		t.Errorf("TestFairy has %v", got)
	}
	// The response is lost after the webhook was added: the next run finds it.
	server.Inject("/api/1/webhook/", testfairysim.Fault{Drop: true, DropAfter: 1, Times: 1})
	if got := webhookCommand(t, "register"); got.code != exitLeft {
		t.Errorf("got %+v", got)
	}
	webhookCommand(t, "register").want(t, exitDone,
		"TestFairy has it already: webhook 1 \"FairBridge (fairbridge-prod)\", feedback and crash to "+stackWebhook+"\n", "")
}

func TestWebhookUsage(t *testing.T) {
	newDashboard(t)
	tests := []struct{ args, want string }{
		{"register --events mood", `--events: there is no event "mood"; there are feedback, crash, upload, new-udid`},
		{"register --events=", "--events names none"},
		{"register --url ftp://x", "the webhook's URL must start with https:// (http:// on this machine only), since the token is in it"},
		{"register --url http://bridge.example.com/", "the webhook's URL must start with https:// (http:// on this machine only), since the token is in it"},
		{"register --url https://u:p@x/", "the webhook's URL must be like https://bridge.example.com/webhooks/testfairy"},
		{"register --url https://x/?token=" + webhookToken, "--url must come without a query; the token is added from the secrets"},
		{"register --testfairy http://mobile.saucelabs.com", "--testfairy must be us, eu, legacy or an https URL"},
		{"list --testfairy asia", "--testfairy must be us, eu, legacy or an https URL"},
		{"register x", `unexpected "x"`},
	}
	for _, test := range tests {
		webhookCommand(t, strings.Fields(test.args)...).want(t, exitUsage, "", "fairbridge: "+test.want+"\nSee 'fairbridge webhook "+strings.Fields(test.args)[0]+" --help'.\n")
	}
}

// TestWebhookOfFolder: a bridge on this machine has no address that TestFairy can reach.
func TestWebhookOfFolder(t *testing.T) {
	_, server := newDashboard(t)
	dir := t.TempDir()
	runCommand(t, testfairyKey, "secrets", "put", "testfairy-api-key", "--data", dir)
	runCommand(t, webhookToken, "secrets", "put", "webhook-token", "--data", dir)
	runCommand(t, "", "webhook", "register", "--data", dir).want(t, exitUsage, "",
		"fairbridge: TestFairy cannot reach this machine directly; give the bridge's public address with --url\nSee 'fairbridge webhook register --help'.\n")
	runCommand(t, "", "webhook", "register", "--data", dir, "--url", "https://tunnel.example.com/webhooks/testfairy").want(t, exitDone,
		"Added: webhook 1 \"FairBridge\", feedback and crash to https://tunnel.example.com/webhooks/testfairy\n", "")
	if got := server.Webhooks(); len(got) != 1 || got[0].URL != "https://tunnel.example.com/webhooks/testfairy?token="+webhookToken {
		t.Errorf("TestFairy has %+v", got)
	}
}
