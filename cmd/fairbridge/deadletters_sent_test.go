package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"fairbridge/pkg/deadletter"
	"fairbridge/pkg/ledger"
	"fairbridge/pkg/queue"
)

// TestShowWhatWasSent checks that the request shown is computed with the mapping that
// created it, not the running one, and without later corrections, and that both forms of
// show agree. A request to the simulator has no address.
func TestShowWhatWasSent(t *testing.T) {
	for site, shown := range map[string]string{"https://beta.example.com": "https://beta.example.com", "": "the simulator"} {
		t.Run(shown, func(t *testing.T) { testShowWhatWasSent(t, site, shown) })
	}
}

func testShowWhatWasSent(t *testing.T, site, shown string) {
	t.Chdir(t.TempDir()) // a folder without fairbridge.yaml
	h := newLetterHome(t)
	const made = `routes:
  - match: {event: feedback}
    project: OLD
    source: testfairy
    fields: {summary: "{{ .text }}", submitter: "{{ .email }}", odd: "x"}
    attachments: [{from: "{{ .screenshotUrl }}", element: screenshot}]
`
	h.must(h.ledger.NowRuns(t.Context(), ledger.Running{Hash: "0123456789abcdef"}, made))
	h.must(h.ledger.NowRuns(t.Context(), ledger.Running{Hash: "fedcba"}, strings.ReplaceAll(made, "OLD", "NEW")))
	l := rejected(t, 1, `"email":"nobody","screenshotUrl":"https://app.testfairy.com/1.jpg"`)
	c := h.claim(l.DeliveryID, 0)
	h.must(c.Creating(t.Context(), ledger.Where{BaseURL: site, Project: "OLD", Source: "testfairy", Mapping: "0123456789abcdef"}))
	envelope, err := queue.Decode(l.Body)
	h.must(err)
	_, err = envelope.Set("email", "qa@example.com", time.Now().Add(time.Hour))
	h.must(err)
	l.Body, err = envelope.Encode()
	h.must(err)
	var kept bytes.Buffer
	h.must(deadletter.WriteLetter(&kept, l))
	h.must(c.KeepLetter(t.Context(), kept.Bytes()))
	h.put(l)
	fault := faultOf("create", 404, "no")
	fault.Reason = "not_found"
	h.must(c.Died(t.Context(), fault, true))

	want := "\nWhat was sent at " + h.entry(idOf(1)).CreatingSince.UTC().Format(time.RFC3339) + `, by the mapping 0123456789ab:
  POST ` + site + `/api/v1/projects/OLD/feedback/testfairy?apiKey=...
    odd        "x"
    submitter  "nobody"
    summary    "feedback 1"
    file screenshot from https://app.testfairy.com/1.jpg
`
	for _, args := range [][]string{{"show"}, {"dlq", "show"}} {
		got := runCommand(t, "", append(args, idOf(1)[:8], "--data", h.data)...)
		if got.code != exitDone || !strings.Contains(got.out, want) || !strings.Contains(got.out, `"email": "qa@example.com"`) {
			t.Errorf("%v: no\n%s\nin\n%s%s", args, want, got.out, got.err)
		}
		if to := "sent to    " + shown + ", project OLD, source testfairy"; args[0] == "show" && !strings.Contains(got.out, to) {
			t.Errorf("no %q in\n%s", to, got.out)
		}
	}
}
