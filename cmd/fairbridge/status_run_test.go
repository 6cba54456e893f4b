package main

import (
	"path/filepath"
	"strings"
	"testing"

	"fairbridge/pkg/ledger"
)

// TestCommandsWithARunningBridge runs the commands that read or feed a bridge while it
// runs.
func TestCommandsWithARunningBridge(t *testing.T) {
	newCloud(t) // for the environment
	f := newFarEnd(t, lookUp)
	data := filepath.Join(t.TempDir(), "home")
	p := startBridge(t, f, data)
	sent := runCommand(t, "", "send", "../../events/feedback.json", "--data", data)
	if sent.code != exitDone || !strings.HasPrefix(sent.out, "../../events/feedback.json: HTTP 202 {") {
		t.Fatalf("%+v", sent)
	}
	openState(t, data).settled()

	// The key is in the bridge's environment, not in this process's.
	s := statusOf(t, exitDone, "--data", data, "--config", f.config)
	wantProblems(t, s)
	if s.Runs == nil || !*s.Runs || s.Webhook == "" || !strings.HasPrefix(p.webhook, s.Webhook+"?token=") || !s.Centercode.Answers {
		t.Errorf("got %+v", s)
	}
	if len(s.Deliveries) != 1 || s.Deliveries[0].State != ledger.Completed || s.Deliveries[0].TicketID == "" {
		t.Errorf("deliveries are %+v", s.Deliveries)
	}

	if got := runCommand(t, "", "status", "--ready", "--data", data); got.code != exitDone || got.out != "ready\n" {
		t.Errorf("%+v", got)
	}
	if code := p.interrupt(); code != exitDone {
		t.Errorf("exit code %d", code)
	}
	if got := runCommand(t, "", "status", "--ready", "--data", data); got.code != exitLeft || !strings.Contains(got.err, "fairbridge run --data "+data) {
		t.Errorf("%+v", got)
	}
	if got := runCommand(t, "", "status", "--ready", "--stack", "s"); got.code != exitUsage {
		t.Errorf("%+v", got)
	}
	s = statusOf(t, exitLeft, "--data", data, "--config", f.config)
	wantProblems(t, s, "centercode-api-key is missing: fairbridge secrets put centercode-api-key --data "+data)
	if s.Runs == nil || *s.Runs {
		t.Errorf("got %+v", s)
	}
}

// TestPauseWithARunningBridge checks that a paused bridge holds what arrives, reports it,
// and continues when the pause ends.
func TestPauseWithARunningBridge(t *testing.T) {
	newCloud(t) // for the environment
	f := newFarEnd(t, lookUp)
	data := filepath.Join(t.TempDir(), "home")
	p := startBridge(t, f, data)
	must := func(args ...string) {
		t.Helper()
		if did := runCommand(t, "", append(args, "--data", data)...); did.code != exitDone {
			t.Fatalf("%v: %+v", args, did)
		}
	}
	must("pause", "--because", "an upgrade")
	must("send", "../../events/feedback.json")
	p.until("the feedback is held", func() bool {
		return strings.Contains(p.out.String(), `"result":"held"`)
	})
	s := statusOf(t, exitDone, "--data", data, "--config", f.config)
	if len(s.Notes) != 2 || !strings.Contains(s.Notes[0], "everything has been paused") || !strings.Contains(s.Notes[1], "1 feedback waits") {
		t.Errorf("notes %q", s.Notes)
	}
	if n := len(f.center.Tickets()); n != 0 {
		t.Errorf("%d tickets during the pause", n)
	}
	must("resume")
	openState(t, data).settled()
	if n := len(f.center.Tickets()); n != 1 {
		t.Errorf("%d tickets", n)
	}
	if code := p.interrupt(); code != exitDone {
		t.Errorf("exit code %d", code)
	}
}
