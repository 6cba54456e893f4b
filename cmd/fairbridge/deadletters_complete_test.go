package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"fairbridge/pkg/deadletter"
	"fairbridge/pkg/home"
	"fairbridge/pkg/ledger"
)

// TestCompletionOnAStack checks that on a stack the ids are those of the ledger's dead
// deliveries. Receiving from the queue would hide its letters from others.
func TestCompletionOnAStack(t *testing.T) {
	c := newCloud(t)
	entry := func(n int, state ledger.State, reason, text string) ledger.Entry {
		return ledger.Entry{DeliveryID: idOf(n), State: state, UpdatedAt: letterTime.Add(time.Duration(n) * time.Minute),
			Last: &ledger.Fault{Reason: reason, Stage: "create", Text: text}}
	}
	c.remember(t, entry(1, ledger.Dead, "ambiguous", "the answer was lost"))
	c.remember(t, entry(2, ledger.Dead, "rejected", "status 400: The submitter\tis not a user\nof the project."))
	c.remember(t, entry(3, ledger.Dead, ledger.ReasonDropped, "a joke"))
	c.remember(t, entry(4, ledger.Completed, "rejected", "once"))
	c.remember(t, ledger.Entry{DeliveryID: idOf(5), State: ledger.Claimed, UpdatedAt: letterTime})

	const ended = "Completion ended with directive: ShellCompDirectiveNoFileComp, ShellCompDirectiveKeepOrder\n"
	complete := func(args ...string) ran {
		return runCommand(t, "", append([]string{"__complete", "dlq"}, args...)...)
	}
	first := shortID(idOf(1)) + "\tambiguous: the answer was lost\n"
	second := shortID(idOf(2)) + "\trejected: status 400: The submitter is not a user of the project.\n"
	complete("replay", "--stack", stackName, "").want(t, exitDone, first+second+":36\n", ended)
	complete("drop", "--stack", stackName, shortID(idOf(1)), "").want(t, exitDone, second+":36\n", ended)
	complete("replay", "--stack", stackName, "--all", "").want(t, exitDone, ":36\n", ended)
	complete("show", "--stack", "another", "").want(t, exitDone, ":36\n", ended)
	if got := complete("replay", "--stack", stackName, "--set", "e"); got.out != ":6\n" {
		t.Errorf("no payloads in the ledger: %+v", got)
	}
	if slices.ContainsFunc(c.calls, func(call string) bool { return strings.HasPrefix(call, "AmazonSQS.") }) {
		t.Errorf("the queue was called: %q", c.calls)
	}

	c.denied = "DynamoDB_20120810.Query"
	complete("replay", "--stack", stackName, "").want(t, exitDone, ":36\n", ended)
}

// TestCompletionLeavesHeldLetters checks that a letter which another command holds is
// completed too, and remains held.
func TestCompletionLeavesHeldLetters(t *testing.T) {
	h := newLetterHome(t, rejected(t, 1, ""), moved(t, 2))
	hold, err := h.queue().Take(t.Context(), func(deadletter.Letter) {})
	h.must(err)
	got := runCommand(t, "", "__completeNoDesc", "dlq", "replay", "--data", h.data, "")
	if want := shortID(idOf(1)) + "\n" + shortID(idOf(2)) + "\n:36\n"; got.out != want {
		t.Errorf("completed is %q, want %q", got.out, want)
	}
	if hold.Len() != 2 || len(h.dead()) != 0 {
		t.Error("the letters were released")
	}
	h.must(hold.Release(t.Context()))
	if left := h.dead(); len(left) != 2 {
		t.Errorf("left %q", left)
	}
}

// TestCompletionIsBounded checks that the number of suggestions is limited.
func TestCompletionIsBounded(t *testing.T) {
	var letters []deadletter.Letter
	for n := range mostCompleted + 1 {
		letters = append(letters, rejected(t, n, ""))
	}
	h := newLetterHome(t, letters...)
	got := runCommand(t, "", "__complete", "dlq", "show", "--data", h.data, "")
	if n := strings.Count(got.out, "\trejected: feedback "); n != mostCompleted {
		t.Errorf("%d ids are offered", n)
	}
}

// TestCompletionEnds checks that a completion that takes too long ends silently.
func TestCompletionEnds(t *testing.T) {
	newCloud(t)
	asked := make(chan struct{}, 1)
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // otherwise the server does not notice that the client is gone
		asked <- struct{}{}
		<-r.Context().Done()
	}))
	defer srv.Close()
	t.Setenv("AWS_ENDPOINT_URL", srv.URL)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-asked
		cancel()
	}()
	look(ctx, &place{Place: home.Place{Stack: stackName}, given: func(string) bool { return false }}, func(deadletter.Letter) bool {
		t.Error("a letter exists")
		return false
	})
}
