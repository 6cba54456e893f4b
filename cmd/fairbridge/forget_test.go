package main

import (
	"strings"
	"testing"
	"time"
)

func TestForgetCommand(t *testing.T) {
	h, first := newFoundHome(t)
	local := func(hours time.Duration) string {
		return first.Add(hours * time.Hour).Local().Format("2006-01-02 15:04:05")
	}
	table := `DELIVERY      RECEIVED             STATE      PROJECT  TICKET
6b86b273ff34  ` + local(0) + `  completed  DEMO     BUG-17
4e07408562be  ` + local(2) + `  dead       DEMO     -

Centercode has 1 ticket of theirs, which stay: BUG-17
`
	h.run("forget", "Ann@example.com", "--dry-run").want(t, exitDone, table+"2 deliveries would be forgotten\n", "")
	h.run("forget", "ann@example.com").want(t, exitUsage, "", "fairbridge: there is no terminal to ask for confirmation: check with --dry-run, then add --yes\nSee 'fairbridge forget --help'.\n")
	h.run("forget", "ann@example.com", "--yes").want(t, exitDone, table+"2 deliveries forgotten\n", "")
	h.run("forget", "ann@example.com", "--yes").want(t, exitDone, "nothing is kept of that person\n0 deliveries forgotten\n", "")
	h.run("find", "ann@example.com").want(t, exitLeft, "", "fairbridge: nothing was found; what is done is remembered for 35 days\n")
	if got := h.run("show", "6b86b2"); !strings.Contains(got.out, "BUG-17") || !strings.Contains(got.out, "forgot whose it is") || strings.Contains(got.out, "crashes") {
		t.Errorf("got %+v", got)
	}
	h.run("forget", "bob@example.org", "--yes").want(t, exitLeft, `DELIVERY      RECEIVED             STATE    PROJECT  TICKET
d4735e3a265e  `+local(1)+`  claimed  -        -

0 deliveries forgotten
`, "fairbridge: 1 delivery is still there: run it again when what is on its way is done\n")
	h.run("forget", "bob", "--dry-run").want(t, exitUsage, "", "fairbridge: \"bob\" is not one email address\nSee 'fairbridge forget --help'.\n")
}
