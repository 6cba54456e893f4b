package main

import (
	"strings"
	"testing"

	"fairbridge/pkg/ledger"
)

func TestDryRun(t *testing.T) {
	f := newFarEnd(t, "")
	h := newLetterHome(t,
		rejected(t, 1, `"email":"a@example.com","screenshotUrl":"https://app.testfairy.com/1.jpg"`), // not requested yet
		rejected(t, 2, `"screenshotUrl":"https://app.testfairy.com/2.jpg"`),                         // created, without its file
		rejected(t, 3, ""), // ambiguous
		rejected(t, 4, ""), // completed
	)
	c := h.claim(idOf(2), 0)
	h.must(c.Created(t.Context(), "77", nil, nil))
	h.must(c.Died(t.Context(), faultOf("attach", 404, "gone"), false))
	h.must(h.claim(idOf(4), 0).Completed(t.Context()))
	c = h.claim(idOf(3), 0)
	h.must(c.Creating(t.Context(), ledger.Where{}))
	h.must(c.Died(t.Context(), faultOf("create", 0, "lost"), false))

	got := h.dlq("replay", "--all", "--dry-run", "--config", f.config)
	base := strings.Fields(strings.SplitAfter(got.out, "POST ")[1])[0]
	base = strings.TrimSuffix(base, "/api/v1/projects/DEMO/feedback/testfairy?apiKey=...")
	got.want(t, exitLeft, strings.ReplaceAll(idOf(1)+`
  POST BASE/api/v1/projects/DEMO/feedback/testfairy?apiKey=...
  Content-Type: application/json

  {
    "submitter": "a@example.com",
    "summary": "feedback 1",
    "deliveryId": "`+idOf(1)+`"
  }

  attachment screenshot from https://app.testfairy.com/1.jpg to /api/v1/projects/DEMO/feedback/{ticketId}/files/screenshot

`+idOf(2)+` (ticket 77 exists, what it lacks is sent)

  attachment screenshot from https://app.testfairy.com/2.jpg to /api/v1/projects/DEMO/feedback/{ticketId}/files/screenshot

`+idOf(3)+`
  POST BASE/api/v1/projects/DEMO/feedback/testfairy?apiKey=...
  Content-Type: application/json

  {
    "submitter": "alice@corporation.com",
    "summary": "feedback 3",
    "deliveryId": "`+idOf(3)+`"
  }
  PROBLEM: there may be a ticket already: use --as-created TICKET or --create-again

`+idOf(4)+`
  ignored: it is done already, as ticket of unknown id

4 dead letters would be replayed, by `+f.config+` as it is now: no bridge runs in this folder
`, "BASE", base), "")
	if got := h.dlq("replay", idOf(3), "--create-again", "--dry-run", "--config", f.config); got.code != exitDone || strings.Contains(got.out, "PROBLEM") {
		t.Errorf("settled: %+v", got)
	}
	if got := h.dlq("replay", idOf(3), "--as-created", "5", "--dry-run", "--config", f.config); got.code != exitDone ||
		got.out != idOf(3)+" (ticket 5 exists, what it lacks is sent)\n\n1 dead letter would be replayed, by "+f.config+" as it is now: no bridge runs in this folder\n" {
		t.Errorf("settled: %+v", got)
	}
	if e := h.entry(idOf(3)); e.Resume != ledger.Creating {
		t.Errorf("the dry run settled it: %+v", e)
	}
	wantDeliveries(t, "left", h.dead(), 1, 2, 3, 4)
	wantDeliveries(t, "replayed", h.replayed())

	t.Chdir(t.TempDir())
	h.put(rejected(t, 1, ""))
	h.dlq("replay", idOf(1), "--dry-run").want(t, exitLeft, "",
		"fairbridge: there is no fairbridge.yaml here to build the requests with; name a file with --config\n")
}
