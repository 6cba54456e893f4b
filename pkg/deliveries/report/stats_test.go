package report_test

import (
	"strings"
	"testing"
	"time"

	"fairbridge/pkg/deliveries"
	"fairbridge/pkg/deliveries/report"
)

func stats(by deliveries.By) *deliveries.Stats {
	ms := time.Duration.Milliseconds
	at := time.Date(2026, 1, 2, 3, 4, 0, 0, time.Local)
	return &deliveries.Stats{
		Since: at.UTC(), Until: at.AddDate(0, 0, 7).UTC(), By: by,
		Rows: []deliveries.StatsRow{
			{Key: "=1+1", Received: 1600, Tickets: 1590, Waiting: 1, Dead: 8, Ignored: 1, P50: ms(1234 * time.Millisecond), P95: ms(65 * time.Second)},
			{Key: "漢字アプリ", Received: 820, Tickets: 819, Dropped: 1, P50: ms(3 * time.Minute), P95: ms(5 * time.Hour)},
			{Key: "a\x1b[31m", Received: 1},
			{},
		},
		Total:       deliveries.StatsRow{Received: 2421, Tickets: 2409, Waiting: 1, Dead: 8, Dropped: 1, Ignored: 1, Refused: 100, P50: ms(2 * time.Second), P95: ms(3 * time.Hour)},
		RefusedMore: true,
	}
}

func TestWriteStats(t *testing.T) {
	const head = "Received from 2026-01-02 03:04 to 2026-01-09 03:04\n\n"
	for _, tt := range []struct {
		by    deliveries.By
		width int
		want  string
	}{
		{deliveries.ByApp, 0, `APP         RECEIVED  TICKETS  WAITING  DEAD  DROPPED  IGNORED  REFUSED   P50  P95
=1+1           1,600    1,590        1     8        0        1        -  1.2s  65s
漢字アプリ       820      819        0     0        1        0        -    3m   5h
a[31m              1        0        0     0        0        0        -     -    -
-                  0        0        0     0        0        0        -     -    -
all            2,421    2,409        1     8        1        1     100+  2.0s   3h
`},
		{deliveries.ByDay, 100, `DAY         RECEIVED  TICKETS  WAITING  DEAD  DROPPED  IGNORED  REFUSED   P50  P95
=1+1           1,600    1,590        1     8        0        1        0  1.2s  65s  ████████████████
漢字アプリ       820      819        0     0        1        0        0    3m   5h  ████████▎
a[31m              1        0        0     0        0        0        0     -    -  ▏
-                  0        0        0     0        0        0        0     -    -
all            2,421    2,409        1     8        1        1     100+  2.0s   3h
`},
	} {
		var b strings.Builder
		if err := report.WriteStats(&b, stats(tt.by), tt.width); err != nil {
			t.Fatal(err)
		}
		if got := b.String(); got != head+tt.want {
			t.Errorf("by %s: got\n%s\nwant\n%s", tt.by, got, head+tt.want)
		}
	}
}

func TestWriteStatsCSV(t *testing.T) {
	for by, want := range map[deliveries.By]string{
		deliveries.ByApp: `app,received,tickets,waiting,dead,dropped,ignored,refused,p50Ms,p95Ms
'=1+1,1600,1590,1,8,0,1,0,1234,65000
漢字アプリ,820,819,0,0,1,0,0,180000,18000000
` + "a\x1b[31m,1,0,0,0,0,0,0,0,0\n" + `,0,0,0,0,0,0,0,0,0
`,
		"": `all,received,tickets,waiting,dead,dropped,ignored,refused,p50Ms,p95Ms
,2421,2409,1,8,1,1,100,2000,10800000
`,
	} {
		var b strings.Builder
		if err := report.WriteStatsCSV(&b, stats(by)); err != nil {
			t.Fatal(err)
		}
		if got := b.String(); got != want {
			t.Errorf("by %q: got\n%s\nwant\n%s", by, got, want)
		}
	}
}
