package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func TestStatsCommand(t *testing.T) {
	h, first := newFoundHome(t)
	since := first.Format(time.RFC3339)
	until := first.Add(3 * time.Hour).Format(time.RFC3339)
	local := func(hours time.Duration) string {
		return first.Add(hours * time.Hour).Local().Format("2006-01-02 15:04")
	}
	h.run("stats", "--since", since, "--until", until, "--by", "app").want(t, exitDone, `Received from `+local(0)+` to `+local(3)+`

APP         RECEIVED  TICKETS  WAITING  DEAD  DROPPED  IGNORED  REFUSED   P50   P95
Notes              2        1        0     1        0        0        -  5.0s  5.0s
漢字アプリ         1        0        1     0        0        0        -     -     -
all                3        1        1     1        0        0        0  5.0s  5.0s
`, "")
	h.run("stats", "--since", since, "--csv").want(t, exitDone, "all,received,tickets,waiting,dead,dropped,ignored,refused,p50Ms,p95Ms\n,3,1,1,1,0,0,0,5000,5000\n", "")
	var s struct{ Rows, Total any }
	if err := json.Unmarshal([]byte(h.run("stats", "--by", "day", "--json").out), &s); err != nil || s.Rows == nil || s.Total == nil {
		t.Errorf("got %+v, %v", s, err)
	}
	for flags, want := range map[string]string{
		"--by week":                             `--by "week": it is one of app, day, hour`,
		"--since soon":                          "--since: ",
		"--until later":                         "--until: ",
		"--json --csv":                          "--json and --csv exclude each other",
		"--since 2026-01-02 --until 2026-01-01": "--since is not before --until",
	} {
		if got := runCommand(t, "", append([]string{"stats"}, strings.Fields(flags)...)...); got.code != exitUsage || !strings.Contains(got.err, want) {
			t.Errorf("%s: %+v", flags, got)
		}
	}
}
