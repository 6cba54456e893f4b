package main

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	centercodesim "fairbridge/pkg/centercode/simulator"
	"fairbridge/pkg/deadletter"
	"fairbridge/pkg/home"
	"fairbridge/pkg/ledger"
	"fairbridge/pkg/terminal"
)

func faultOf(stage string, status int, text string) ledger.Fault {
	return ledger.Fault{Stage: stage, Status: status, Text: text, At: letterTime}
}

// wantDeliveries compares the contents of a queue with the numbers of the letters.
func wantDeliveries(t *testing.T, what string, got []string, numbers ...int) {
	t.Helper()
	want := []string{}
	for _, n := range numbers {
		want = append(want, shortID(idOf(n)))
	}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

func TestReplayChooses(t *testing.T) {
	for _, tc := range []struct {
		args     []string
		code     int
		out, err string
		replayed []int
	}{
		{[]string{idOf(1)[:6]}, exitDone, "1 dead letter replayed\n", "", []int{1}},
		{[]string{strings.ToUpper(idOf(1)), idOf(2)[:12]}, exitDone, "2 dead letters replayed\n", "", []int{1, 2}},
		{[]string{"abcdef", idOf(2)}, exitLeft, "1 dead letter replayed\n", "fairbridge: there is no dead letter abcdef\n", []int{2}},
		{[]string{"--match", "text~[13]$", "--yes"}, exitDone, "2 dead letters replayed, 1 copy removed\n", "", []int{1, 3}},
		{[]string{"--reason", "mapping", "--yes"}, exitDone, "0 dead letters replayed\n", "", nil},
		{[]string{"--all", "--yes", "--rate", "1000/s"}, exitDone, "3 dead letters replayed, 1 copy removed\n", "", []int{1, 2, 3}},
	} {
		h := newLetterHome(t, rejected(t, 1, ""), rejected(t, 2, ""), rejected(t, 3, ""), rejected(t, 3, ""))
		h.dlq(append([]string{"replay"}, tc.args...)...).want(t, tc.code, tc.out, tc.err)
		wantDeliveries(t, strings.Join(tc.args, " ")+": replayed", h.replayed(), tc.replayed...)
		left := slices.DeleteFunc([]int{1, 2, 3, 3}, func(n int) bool { return slices.Contains(tc.replayed, n) })
		wantDeliveries(t, strings.Join(tc.args, " ")+": left", h.dead(), left...)
	}
}

func TestReplayOfAnAmbiguousID(t *testing.T) {
	first, second := rejected(t, 1, ""), rejected(t, 2, "")
	twin := idOf(1)[:60] + "0000"
	second.Body = strings.ReplaceAll(second.Body, second.DeliveryID, twin)
	second.DeliveryID = twin
	h := newLetterHome(t, first, second)
	h.dlq("replay", twin[:8]).want(t, exitLeft, "",
		"fairbridge: "+twin[:8]+" is the beginning of 2 delivery ids: "+idOf(1)+", "+twin+"\n")
	h.dlq("replay", twin).want(t, exitDone, "1 dead letter replayed\n", "")
}

func TestReplayTooOften(t *testing.T) {
	often, oftenMoved := rejected(t, 1, ""), moved(t, 2)
	often.Generation, oftenMoved.Replays = 4, 3
	fewer := rejected(t, 3, "")
	fewer.Generation = 3
	h := newLetterHome(t, often, oftenMoved, fewer)
	h.dlq("replay", "--all", "--yes").want(t, exitLeft, "1 dead letter replayed\n",
		"fairbridge: 6b86b273ff34 has been replayed 3 times already: fix the cause, then add --force\n"+
			"fairbridge: d4735e3a265e has been replayed 3 times already: fix the cause, then add --force\n")
	wantDeliveries(t, "replayed", h.replayed(), 3)
	h.dlq("replay", "--all", "--yes", "--force").want(t, exitDone, "2 dead letters replayed\n", "")
	for _, m := range h.messages(h.home.WorkQueueURL) {
		if got := aws.ToString(m.MessageAttributes["replays"].StringValue); got != "4" {
			t.Errorf("replay count is %s", got)
		}
	}
}

// TestReplayTooOftenOfWhatWasMoved checks that the replay count survives when SQS moves a
// message and a worker later writes its dead letter.
func TestReplayTooOftenOfWhatWasMoved(t *testing.T) {
	f, h := newFarEnd(t, ""), newLetterHome(t, moved(t, 1))
	f.center.Inject(centercodesim.Fault{Op: centercodesim.OpCreate, Status: 400, Times: -1})
	startBridge(t, f, h.data)
	for range deadletter.MostReplays {
		if got := h.dlq("replay", idOf(1), "--wait"); got.code != exitLeft || !strings.Contains(got.out, "dead again: rejected") {
			t.Fatalf("%+v", got)
		}
	}
	h.dlq("replay", idOf(1)).want(t, exitLeft, "0 dead letters replayed\n",
		"fairbridge: 6b86b273ff34 has been replayed 3 times already: fix the cause, then add --force\n")
}

// TestReplayWithoutABridge checks that a replay without a running bridge reports that.
func TestReplayWithoutABridge(t *testing.T) {
	h := newLetterHome(t, rejected(t, 1, ""))
	h.must(home.RemoveRunning(h.data))
	h.dlq("replay", "--all", "--yes").want(t, exitDone, "1 dead letter replayed\n",
		"fairbridge: no bridge runs in this folder, so it waits: fairbridge run --data "+h.data+"\n")
}

// TestReplayFirst checks that one letter is tried before the rest, and that a failed trial
// leaves the rest alone.
func TestReplayFirst(t *testing.T) {
	f, h := newFarEnd(t, ""), newLetterHome(t, several(t, 4)...)
	f.center.Inject(centercodesim.Fault{Op: centercodesim.OpCreate, Status: 400, Times: 1})
	startBridge(t, f, h.data)
	first := shortID(idOf(0))
	got := h.dlq("replay", "--status", "400", "--first", "1", "--yes")
	if got.code != exitLeft || !strings.HasPrefix(got.out, "1 dead letter replayed\n"+first+"  dead again: rejected at create (HTTP 400): Centercode answered 400 to POST /") ||
		got.err != "fairbridge: 0 completed, 1 dead again (1 rejected)\n"+
			"fairbridge: the other 3 stay unchanged; what is wrong with this one: fairbridge dlq show "+first+" --data "+h.data+"\n" {
		t.Errorf("%+v", got)
	}
	got = h.dlq("replay", "--status", "400", "--app", "Demo*", "--first", "1", "--yes")
	if got.code != exitDone || !strings.Contains(got.out, "  completed, ticket ") ||
		got.err != "fairbridge: 1 completed\nfairbridge: the other 3: fairbridge dlq replay --status 400 --app 'Demo*' --wait --data "+h.data+"\n" {
		t.Errorf("%+v", got)
	}
	got = h.dlq("replay", "--all", "--yes", "--wait")
	if got.code != exitDone || got.err != "fairbridge: 3 completed\n" {
		t.Errorf("%+v", got)
	}
}

// TestReplayOfVeryMany checks that very many letters are replayed in parts, and that a copy
// in a later part is handled too.
func TestReplayOfVeryMany(t *testing.T) {
	const atOnce = 1000 // of pkg/deadletter
	letters := make([]deadletter.Letter, 0, atOnce+300)
	for n := range atOnce + 200 {
		letters = append(letters, rejected(t, n, ""))
	}
	h := newLetterHome(t, append(letters, letters[:100]...)...)
	h.dlq("replay", "--all", "--yes").want(t, exitDone, "1200 dead letters replayed, 100 copies removed\n", "")
	if got := h.replayed(); len(got) != atOnce+200 || len(slices.Compact(got)) != atOnce+200 {
		t.Errorf("%d were sent", len(got))
	}
	wantDeliveries(t, "left", h.dead())
}

// TestReplayInterrupted checks that Ctrl-C ends a replay: letters being sent are finished,
// the others stay and become visible at once.
func TestReplayInterrupted(t *testing.T) {
	var letters []deadletter.Letter
	for n := range 30 {
		letters = append(letters, rejected(t, n, ""))
	}
	h := newLetterHome(t, letters...)
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	var out, errOut bytes.Buffer
	ended := make(chan int)
	go func() {
		ended <- execute(ctx, []string{"dlq", "replay", "--all", "--yes", "--rate", "60/m", "--data", h.data},
			streams{in: strings.NewReader(""), out: &out, err: &errOut})
	}()
	var sent []string
	for len(sent) == 0 {
		<-time.After(10 * time.Millisecond)
		sent = h.replayed()
	}
	interrupt()
	code := <-ended
	sent = append(sent, h.replayed()...)
	left := h.dead()
	if code != exitLeft || len(sent)+len(left) != 30 || len(left) < 20 ||
		out.String() != terminal.Count(len(sent), "dead letter")+" replayed\n" || errOut.String() != fmt.Sprintf("fairbridge: interrupted: %d stay\n", len(left)) {
		t.Errorf("exit code %d, %d sent, %d left, printed %q and %q", code, len(sent), len(left), out.String(), errOut.String())
	}
}
