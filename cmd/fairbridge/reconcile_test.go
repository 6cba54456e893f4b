package main

import (
	"encoding/json"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fairbridge/pkg/ledger"
	"fairbridge/pkg/ledger/ledgertest"
	"fairbridge/pkg/reconcile"
	"fairbridge/pkg/secrets"
	testfairysim "fairbridge/pkg/testfairy/simulator"
)

// TestReconcile checks that a feedback which never reached a running bridge is listed, and
// after confirmation becomes a ticket.
func TestReconcile(t *testing.T) {
	f := newFarEnd(t, "")
	server := httptest.NewServer(f.testfairy.Handler())
	t.Cleanup(server.Close)
	t.Setenv(userVariable, testfairyUser)
	t.Setenv(baseVariable, server.URL)
	data := filepath.Join(t.TempDir(), "home")
	s := openState(t, data)
	run := func(args ...string) ran {
		t.Helper()
		return runCommand(t, "", append(append([]string{"reconcile"}, args...), "--data", data)...)
	}
	if got := runCommand(t, testfairyKey, "secrets", "put", secrets.TestFairyAPIKey, "--data", data); got.code != exitDone {
		t.Fatalf("%+v", got)
	}
	run("--dry-run").want(t, exitDone, "TestFairy lists no feedback.\n", "")

	// The ledger has one from three days ago, which TestFairy lists too.
	now := time.Now().UTC().Truncate(time.Minute)
	began, recorded := now.Add(-72*time.Hour), now.Add(-20*time.Hour)
	l := ledgertest.New(t, ledger.Config{Store: s.home.Ledger, Now: func() time.Time { return began }})
	d, err := l.Look(t.Context(), idOf(1), ledger.Message{})
	if err != nil {
		t.Fatal(err)
	}
	c, err := d.Claim(t.Context(), ledger.About{Kind: "feedback", App: "Demo", Session: "/projects/10-demo/builds/5/sessions/1", Email: "a@b.c", Text: "the first"}, false)
	if err == nil {
		err = c.CreatedAndCompleted(t.Context(), "T-1")
	}
	if err != nil {
		t.Fatal(err)
	}
	say := func(id, session, text string, at time.Time) {
		f.testfairy.AddFeedback(testfairysim.Feedback{
			FeedbackID: id, RecordedAt: at.Format(time.DateTime), Text: text, ReportedBy: "a@b.c", ProjectID: "10", BuildID: "5", SessionID: session,
		})
	}
	say("1", "1", "the first", began)
	say("2", "2", "never\x1bcame", recorded)
	say("3", "1", "another", recorded.Add(time.Minute))

	head := "TestFairy lists 3 feedbacks, back to " + began.Format(time.DateTime) + " by its clock; the ledger goes back to " + began.Format("2006-01-02 15:04 UTC") + ".\n\n"
	table := func(second, third string) string {
		return head + "present  1\nmissing  2\n\nRECORDED             STATE    DELIVERY  FROM   WHAT\n" +
			recorded.Add(time.Minute).Format(time.DateTime) + "  missing  -         a@b.c  " + third + "\n" +
			recorded.Format(time.DateTime) + "  missing  -         a@b.c  " + second + "\n"
	}
	run("--dry-run").want(t, exitLeft, table("nevercame", "another")+"\n2 feedbacks would be sent\n", "")
	run("--dry-run", "--since", "1h").want(t, exitDone, head, "")
	run().want(t, exitUsage, "", "fairbridge: there is no terminal to ask for confirmation: check with --dry-run, then add --yes\nSee 'fairbridge reconcile --help'.\n")
	if got := run("--yes"); got.code != exitLeft || !strings.Contains(got.err, "no bridge runs in "+data) {
		t.Errorf("without a bridge: %+v", got)
	}

	if _, err := launch(t, f, data, ""); err != nil {
		t.Fatal(err)
	}
	run("--yes").want(t, exitDone, table("nevercame", "another")+"\n2 feedbacks sent\n", "")
	s.settled()
	tickets := f.center.Tickets()
	if len(tickets) != 2 || tickets[0].Fields["submitter"] != "a@b.c" {
		t.Errorf("tickets %+v", tickets)
	}
	run("--yes").want(t, exitDone, head+"present  3\n", "")
	var items []reconcile.Item
	dec := json.NewDecoder(strings.NewReader(run("--dry-run", "--json").out))
	for dec.More() {
		var i reconcile.Item
		if err := dec.Decode(&i); err != nil {
			t.Fatal(err)
		}
		items = append(items, i)
	}
	if len(items) != 3 || items[1].FeedbackID != "2" || items[1].State != reconcile.Present || items[1].TicketID == "" || items[1].Session != server.URL+"/projects/10/builds/5/sessions/2" {
		t.Errorf("got %+v", items)
	}
	shown := runCommand(t, "", "show", items[1].DeliveryID, "--data", data)
	if shown.code != exitDone || !strings.Contains(shown.out, "'fairbridge reconcile' sent it") {
		t.Errorf("show: %+v", shown)
	}
}

// TestReconcileWithoutAList: the REST API is gone, or about to go.
func TestReconcileWithoutAList(t *testing.T) {
	h := newLetterHome(t)
	server := testfairysim.New(testfairysim.Config{NewPlatform: true, Sunset: time.Date(2026, 12, 31, 0, 0, 0, 0, time.UTC)})
	srv := httptest.NewServer(server.Handler())
	t.Cleanup(srv.Close)
	t.Setenv(userVariable, testfairyUser)
	t.Setenv(baseVariable, srv.URL)
	if got := runCommand(t, testfairyKey, "secrets", "put", secrets.TestFairyAPIKey, "--data", h.data); got.code != exitDone {
		t.Fatalf("%+v", got)
	}
	h.run("reconcile", "--dry-run").want(t, exitLeft, "", "fairbridge: "+reconcile.Gone+"\n")
	const note = "TestFairy announces that its REST API ends on 2026-12-31: 'fairbridge reconcile', session logs and 'fairbridge webhook' need it, and webhooks do not"
	if got := h.run("status"); !strings.Contains(got.out, "\n"+note+"\n") {
		t.Errorf("status: %+v", got)
	}
	server.Inject("/api/1/webhooks/", testfairysim.Fault{Status: 410})
	if got := h.run("status"); !strings.Contains(got.out, "\nTestFairy's REST API is gone: ") {
		t.Errorf("status: %+v", got)
	}
	server.Heal("/api/1/webhooks/")
	t.Setenv(userVariable, "")
	if got := h.run("status"); strings.Contains(got.out, "REST API") {
		t.Errorf("status without an account: %+v", got)
	}
}
