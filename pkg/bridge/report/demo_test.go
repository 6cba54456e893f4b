package report

import (
	"bytes"
	"testing"

	"fairbridge/pkg/bridge"
	"fairbridge/pkg/worker"
)

func TestWriteDemo(t *testing.T) {
	var out bytes.Buffer
	asExpected, err := WriteDemo(&out, []bridge.DemoResult{
		{File: "a.json", Status: 202, Outcome: worker.Created, TicketID: "1", Attachments: []bridge.DemoFile{{Element: "screenshot", Bytes: 9, Same: true}}},
		{File: "b.json", Status: 400, Problem: "not accepted"},
	})
	want := `PAYLOAD  HTTP             OUTCOME  TICKET  ATTACHMENTS
a.json   202 Accepted     created  1       screenshot 9 bytes, same SHA-256
b.json   400 Bad Request  -        -       WRONG: not accepted

1 of 2 payloads not as expected
`
	if out.String() != want || asExpected || err != nil {
		t.Errorf("%v\n%s\nwant\n%s", err, out.String(), want)
	}
}
