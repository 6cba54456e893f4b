package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fairbridge/pkg/ledger"
)

func TestDropKeepsTheReason(t *testing.T) {
	h := newLetterHome(t, rejected(t, 1, ""), rejected(t, 1, ""), rejected(t, 2, ""))
	h.must(h.claim(idOf(1), 0).Died(t.Context(), faultOf("create", 400, "Invalid submitter."), true))
	h.dlq("drop", shortID(idOf(1)), "abcdef", "--because", "a tester's\n joke", "--yes").want(t, exitLeft,
		"1 dead letter dropped\n", "fairbridge: there is no dead letter abcdef\n")
	wantDeliveries(t, "left", h.dead(), 2)
	e := h.entry(idOf(1))
	if e.State != ledger.Dead || e.Last.Reason != ledger.ReasonDropped || e.Last.Text != "a tester's  joke (it had failed at create: Invalid submitter.)" {
		t.Errorf("entry %+v, %+v", e, e.Last)
	}
	h.dlq("show", idOf(1)).want(t, exitLeft, "", "fairbridge: there is no dead letter "+idOf(1)+
		"; in the ledger: dead: dropped at drop (HTTP 400): a tester's  joke (it had failed at create: Invalid submitter.)\n")
}

func TestDropLeavesWhatAWorkerHolds(t *testing.T) {
	h := newLetterHome(t, rejected(t, 1, ""), rejected(t, 2, ""))
	h.claim(idOf(1), 1)
	got := h.dlq("drop", "--all", "--because", "enough", "--yes")
	if got.code != exitLeft || got.out != "1 dead letter dropped\n" ||
		!strings.HasPrefix(got.err, "fairbridge: "+shortID(idOf(1))+" stays: delivery is held by another worker until ") {
		t.Errorf("%+v", got)
	}
	wantDeliveries(t, "left", h.dead(), 1)
}

// TestDropDone checks that --done drops the letters of completed deliveries without a
// reason, including copies, and no others.
func TestDropDone(t *testing.T) {
	h := newLetterHome(t, rejected(t, 1, ""), rejected(t, 2, ""), rejected(t, 2, ""), rejected(t, 3, ""), rejected(t, 4, ""), rejected(t, 5, ""))
	h.must(h.claim(idOf(2), 1).Completed(t.Context()))
	h.must(h.ledger.Drop(t.Context(), idOf(3), 1, "a joke"))
	h.must(h.claim(idOf(4), 0).Died(t.Context(), faultOf("create", 400, "no"), true))
	h.claim(idOf(5), 1) // a worker holds it
	h.dlq("drop", "--done").want(t, exitDone, "2 dead letters dropped that were done already\n", "")
	h.dlq("drop", "--done").want(t, exitDone, "0 dead letters dropped that were done already\n", "")
	if e := h.entry(idOf(2)); e.State != ledger.Completed || e.Last != nil {
		t.Errorf("entry %+v", e)
	}
	wantDeliveries(t, "left", h.dead(), 1, 4, 5)
}

// TestExportDropImport checks that a letter that was exported and dropped can be imported
// and replayed as if nothing had happened. A copy that was not exported is ignored.
func TestExportDropImport(t *testing.T) {
	h := newLetterHome(t, rejected(t, 1, ""), moved(t, 2), rejected(t, 3, ""))
	h.must(h.claim(idOf(1), 0).Died(t.Context(), faultOf("create", 400, "Invalid submitter."), true))
	h.must(h.claim(idOf(2), 0).Release(t.Context(), faultOf("create", 503, "busy"), true, 0))
	file := filepath.Join(t.TempDir(), "letters.jsonl")
	h.dlq("export", "--output", file).want(t, exitDone, "", "fairbridge: 3 dead letters exported\n")
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file is %v, %v", info, err)
	}
	if got := h.dlq("export", "--output", file); got.code != exitLeft || !strings.Contains(got.err, "file exists") {
		t.Errorf("overwritten: %+v", got)
	}
	h.dlq("drop", "--all", "--because", "enough", "--yes").want(t, exitDone, "3 dead letters dropped\n", "")
	wantDeliveries(t, "after the drop", h.dead())

	h.dlq("import", file).want(t, exitDone, "3 dead letters imported\n", "")
	for n, generation := range map[int]int{1: 1, 3: 1} {
		var done *ledger.DoneError
		if _, err := h.ledger.Claim(t.Context(), idOf(n), ledger.Message{Generation: generation, Marked: generation > 0}); !errors.As(err, &done) {
			t.Errorf("an old copy of %d: %v", n, err)
		}
	}
	if got := h.dlq("list", "--each"); !strings.HasSuffix(got.out, "\n3 dead letters: 2 rejected, 1 worker_died\n") {
		t.Errorf("%+v", got)
	}
	h.dlq("replay", "--all", "--yes").want(t, exitDone, "3 dead letters replayed\n", "")
	for _, m := range h.messages(h.home.WorkQueueURL) {
		id, generation := *m.MessageAttributes["deliveryId"].StringValue, *m.MessageAttributes["generation"].StringValue
		if e := h.claim(id, int(generation[0]-'0')).Entry(); e.State != ledger.Claimed {
			t.Errorf("continues as %+v", e)
		}
	}
}

func TestExportOfSome(t *testing.T) {
	h := newLetterHome(t, rejected(t, 1, ""), rejected(t, 2, ""))
	got := h.dlq("export", idOf(2)[:8], "abcdef")
	if got.code != exitLeft || strings.Count(got.out, "\n") != 1 || !strings.Contains(got.out, idOf(2)) ||
		got.err != "fairbridge: there is no dead letter abcdef\nfairbridge: 1 dead letter exported\n" {
		t.Errorf("%+v", got)
	}
	again := runCommand(t, got.out, "dlq", "import", "-", "--data", newLetterHome(t).data)
	again.want(t, exitDone, "1 dead letter imported\n", "")
}

func TestImportOfSomethingElse(t *testing.T) {
	h := newLetterHome(t)
	got := runCommand(t, "{}\n", "dlq", "import", "-", "--data", h.data)
	got.want(t, exitLeft, "", "fairbridge: import dead letters from -: line 1: body is missing or too long\n")
	if got := h.dlq("import", filepath.Join(t.TempDir(), "none")); got.code != exitLeft || !strings.Contains(got.err, "no such file") {
		t.Errorf("%+v", got)
	}
}

// TestImportOfWhatAnotherHomeKnows checks that a home's entry is exported with the letter:
// the other home creates no second ticket, and ignores what it has completed itself.
func TestImportOfWhatAnotherHomeKnows(t *testing.T) {
	old := newLetterHome(t, rejected(t, 1, ""), rejected(t, 2, ""), rejected(t, 3, ""))
	made := old.claim(idOf(1), 0)
	old.must(made.Creating(t.Context(), ledger.Where{Project: "DEMO"}))
	old.must(made.Created(t.Context(), "77", nil, nil))
	old.must(made.Died(t.Context(), faultOf("attach", 404, "gone"), false))
	old.must(old.claim(idOf(2), 0).Died(t.Context(), faultOf("create", 400, "no"), true))
	old.claim(idOf(3), 0)
	file := filepath.Join(t.TempDir(), "letters.jsonl")
	got := old.dlq("export", "-o", file)
	if got.code != exitLeft || !strings.Contains(got.err, shortID(idOf(3))+" was not exported: a worker is processing it") ||
		!strings.Contains(got.err, "2 dead letters exported") {
		t.Errorf("%+v", got)
	}

	h := newLetterHome(t)
	h.must(h.claim(idOf(2), 0).Completed(t.Context()))
	h.dlq("import", file).want(t, exitDone, "1 dead letter imported, 1 done already\n", "")
	if e := h.entry(idOf(1)); e.State != ledger.Dead || e.TicketID != "77" || len(e.Actions) != 1 {
		t.Errorf("imported as %+v", e)
	}
	if kept, err := h.ledger.Letter(t.Context(), h.entry(idOf(1))); err != nil || !strings.Contains(string(kept), "feedback 1") {
		t.Errorf("its letter: %q, %v", kept, err)
	}
	h.dlq("replay", idOf(1)).want(t, exitDone, "1 dead letter replayed\n", "")
	m := h.messages(h.home.WorkQueueURL)[0]
	generation := int((*m.MessageAttributes["generation"].StringValue)[0] - '0')
	if e := h.claim(idOf(1), generation).Entry(); e.State != ledger.Created || e.TicketID != "77" {
		t.Errorf("continues as %+v", e)
	}
}

// TestReplayOfWhatIsForgotten: a letter older than the ledger's memory may have become a
// ticket since, so it is replayed only if a person insists.
func TestReplayOfWhatIsForgotten(t *testing.T) {
	old := rejected(t, 1, "")
	old.FailedAt = old.FailedAt.Add(-ledger.RetainDone)
	h := newLetterHome(t, old, rejected(t, 2, ""))
	got := h.dlq("replay", "--all", "--yes")
	if got.code != exitLeft || got.out != "1 dead letter replayed\n" || !strings.Contains(got.err, shortID(idOf(1))+" is older than what the ledger remembers") {
		t.Errorf("%+v", got)
	}
	wantDeliveries(t, "replayed", h.replayed(), 2)
	h.dlq("replay", idOf(1), "--create-again").want(t, exitDone, "1 dead letter replayed\n", "")
	wantDeliveries(t, "replayed", h.replayed(), 1)
}
