package report_test

import (
	"bytes"
	"testing"
	"time"

	"fairbridge/pkg/home/report"
	"fairbridge/pkg/ingest"
)

func TestWriteRefused(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for name, tc := range map[string]struct {
		refused ingest.Refused
		want    string
	}{
		"nothing": {want: "No webhook was refused.\n"},
		"some": {
			refused: ingest.Refused{
				Counts: []ingest.RefusalCount{
					{Status: 400, Reason: ingest.ReasonNotJSON, Count: 1, Last: at},
					{Status: 401, Reason: ingest.ReasonWrongToken, Count: 1200, Last: at.Add(time.Minute)},
				},
				Last: []ingest.Refusal{
					{At: at.Add(time.Minute), Status: 401, Reason: ingest.ReasonWrongToken, Bytes: 563},
					{At: at, Status: 400, Reason: ingest.ReasonNotJSON, Bytes: 17, Fields: []string{"event", "\x1b[31mtext"}},
				},
			},
			want: `REFUSED  HTTP  REASON           LAST
1        400   not_json_object  2026-01-02 03:04:05
1200     401   wrong_token      2026-01-02 03:05:05

TIME (UTC)           HTTP  REASON           BYTES  FIELDS
2026-01-02 03:05:05  401   wrong_token      563    -
2026-01-02 03:04:05  400   not_json_object  17     event [31mtext
`,
		},
	} {
		var out bytes.Buffer
		if err := report.WriteRefused(&out, tc.refused); err != nil || out.String() != tc.want {
			t.Errorf("%s: %v\n%s\nwant\n%s", name, err, out.String(), tc.want)
		}
	}
}
