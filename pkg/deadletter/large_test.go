package deadletter_test

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"testing"

	"fairbridge/pkg/deadletter"
	"fairbridge/pkg/queue"
)

// TestLargestBody takes an incompressible body of the maximum size through everything: it
// dies, is shown, exported, imported into another home, and replayed byte for byte.
func TestLargestBody(t *testing.T) {
	noise := make([]byte, 740_000)
	if _, err := rand.Read(noise); err != nil {
		t.Fatal(err)
	}
	event, err := json.Marshal(map[string]string{"event": "feedback", "text": base64.StdEncoding.EncodeToString(noise)})
	if err != nil {
		t.Fatal(err)
	}
	event = append(event, bytes.Repeat([]byte(" "), 1_000_000-len(event))...)
	l := rejected(t, 1)
	if l.Body, err = (queue.Envelope{DeliveryID: l.DeliveryID, ReceivedAt: died, Event: event}).Encode(); err != nil {
		t.Fatal(err)
	}
	old := newFixture(t)
	old.die(l)
	id := deadletter.Filter{IDs: []string{l.DeliveryID}}
	if shown, err := old.Show(t.Context(), id, nil); err != nil || len(shown.Payload) < 980_000 {
		t.Fatalf("shown: %v", err)
	}
	in, err := old.Select(t.Context(), deadletter.Query{Filter: id, Bodies: true})
	old.must(err)
	whole, _, err := old.Export(t.Context(), in.Cases)
	old.must(err)
	var file bytes.Buffer
	old.must(deadletter.WriteLetter(&file, whole[0].Letter))
	old.must(in.Hold.Release(t.Context()))

	inBothHomes(t, func(t *testing.T, o *fixture) {
		letters, err := deadletter.ReadLetters(bytes.NewReader(file.Bytes()))
		o.must(err)
		if got := o.Import(t.Context(), letters, func(_ deadletter.Letter, err error) { t.Error(err) }); got.Letters != 1 {
			t.Fatalf("imported %+v", got)
		}
		e, err := o.ledger.Entry(t.Context(), l.DeliveryID)
		o.must(err)
		kept, err := o.ledger.Letter(t.Context(), e)
		var line queue.Line
		if err == nil {
			err = json.Unmarshal(kept, &line)
		}
		if err != nil || line.Body != l.Body || e.Letter < 2 {
			t.Errorf("the ledger keeps %d bytes in %d parts, %v", len(line.Body), e.Letter, err)
		}
		done, err := o.Replay(t.Context(), deadletter.ReplayOptions{Filter: id})
		if err != nil || len(done.Cases) != 1 {
			t.Errorf("replayed %+v, %v", done, err)
		}
		var sent []string
		work := &deadletter.Queue{API: o.home.SQS, URL: o.home.WorkQueueURL}
		hold, err := work.Take(t.Context(), func(l deadletter.Letter) { sent = append(sent, l.Body) })
		o.must(err)
		o.must(hold.Release(t.Context()))
		if len(sent) != 1 || sent[0] != l.Body {
			t.Errorf("%d messages were sent", len(sent))
		}
	})
}
