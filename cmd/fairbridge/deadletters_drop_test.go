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
		t.Errorf("the ledger has %+v, %+v", e, e.Last)
	}
	h.dlq("show", idOf(1)).want(t, exitLeft, "", "fairbridge: there is no dead letter "+idOf(1)+
		"; the ledger says: dead: dropped at drop (HTTP 400): a tester's  joke (it had failed at create: Invalid submitter.)\n")
}

func TestDropLeavesWhatAWorkerHasInHand(t *testing.T) {
	h := newLetterHome(t, rejected(t, 1, ""), rejected(t, 2, ""))
	h.claim(idOf(1), 1)
	got := h.dlq("drop", "--all", "--because", "enough", "--yes")
	if got.code != exitLeft || got.out != "1 dead letter dropped\n" ||
		!strings.HasPrefix(got.err, "fairbridge: "+shortID(idOf(1))+" stays: delivery is held by another worker until ") {
		t.Errorf("%+v", got)
	}
	wantDeliveries(t, "left", h.dead(), 1)
}

// What was exported and dropped can be had back, and is then done as if it had
// never been away; a copy that was not exported is passed over.
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
		t.Errorf("written over: %+v", got)
	}
	h.dlq("drop", "--all", "--because", "enough", "--yes").want(t, exitDone, "3 dead letters dropped\n", "")
	wantDeliveries(t, "after the drop", h.dead())

	h.dlq("import", file).want(t, exitDone, "3 dead letters imported\n", "")
	for n, generation := range map[int]int{1: 1, 2: 0, 3: 1} {
		var done *ledger.DoneError
		if _, err := h.ledger.Claim(t.Context(), idOf(n), ledger.Message{Generation: generation, Marked: generation > 0}); !errors.As(err, &done) {
			t.Errorf("an old copy of %d: %v", n, err)
		}
	}
	if got := h.dlq("list"); !strings.HasSuffix(got.out, "\n3 dead letters: 2 rejected, 1 retries_exhausted\n") {
		t.Errorf("%+v", got)
	}
	h.dlq("replay", "--all", "--yes").want(t, exitDone, "3 dead letters replayed\n", "")
	for _, m := range h.messages(h.home.WorkQueueURL) {
		id, generation := *m.MessageAttributes["deliveryId"].StringValue, *m.MessageAttributes["generation"].StringValue
		if e := h.claim(id, int(generation[0]-'0')).Entry(); e.State != ledger.Claimed {
			t.Errorf("goes on as %+v", e)
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
