package deadletter

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"fairbridge/pkg/queue"
)

var edited = time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)

func TestExportIsReadBack(t *testing.T) {
	rejected, moved := letter(t, 1, 2), letter(t, 2, 1)
	rejected.Description, rejected.SentAt = "<Invalid> submitter", edited
	moved.DeadLetter = queue.DeadLetter{DeliveryID: moved.DeliveryID, Event: "feedback", Reason: queue.ReasonWorkerDied, Generation: 1}
	moved.Replays = 2
	foreign := Letter{DeadLetter: queue.DeadLetter{DeliveryID: queue.DeliveryID("hello"), Reason: queue.ReasonMalformed, Stage: "decode", Generation: 1}, Body: "hello"}
	var b bytes.Buffer
	want := []Letter{rejected, moved, foreign, moved}
	for _, l := range want {
		if err := WriteLetter(&b, l); err != nil {
			t.Fatal(err)
		}
	}
	if !strings.Contains(b.String(), `"description":"<Invalid> submitter"`) || strings.Count(b.String(), "\n") != 4 {
		t.Errorf("exported as\n%s", b.String())
	}
	last := strings.LastIndex(b.String(), `"worker_died"`) // which an earlier version called:
	earlier := b.String()[:last] + strings.Replace(b.String()[last:], "worker_died", "retries_exhausted", 1)
	got, err := ReadLetters(strings.NewReader(earlier + "\n"))
	if err != nil || len(got) != len(want) {
		t.Fatalf("imported %d: %v", len(got), err)
	}
	for i := range want {
		if !reflect.DeepEqual(got[i], want[i]) {
			t.Errorf("imported %+v\nwant %+v", got[i], want[i])
		}
	}
}

func TestImportedLettersAreUnchanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		first, moved := letter(t, 1, 2), letter(t, 2, 1)
		moved.DeadLetter = queue.DeadLetter{DeliveryID: moved.DeliveryID, Event: "feedback", Reason: queue.ReasonWorkerDied, Generation: 1}
		first.Replays, moved.Replays = 4, 2
		w.put(first, moved)
		for _, l := range w.letters() {
			want := first
			if l.DeliveryID == moved.DeliveryID {
				want = moved
			}
			l.MessageID, l.SentAt = "", time.Time{}
			if !reflect.DeepEqual(l, want) {
				t.Errorf("got %+v\nwant %+v", l, want)
			}
		}
	})
}

func TestReadLettersNamesTheLine(t *testing.T) {
	var b bytes.Buffer
	if err := WriteLetter(&b, letter(t, 1, 1)); err != nil {
		t.Fatal(err)
	}
	good := b.String()
	for name, line := range map[string]string{
		"not JSON":            "secret\n",
		"another object":      "{}\n",
		"a wrong type":        `{"body":["secret"]}` + "\n",
		"another body":        strings.Replace(good, "Demo App", "secret", 1),
		"another id":          strings.Replace(good, deliveryOf(1), deliveryOf(2), 1),
		"an unknown reason":   strings.Replace(good, `"reason":"rejected"`, `"reason":"secret"`, 1),
		"a negative number":   strings.Replace(good, `"generation":1`, `"generation":-1`, 1),
		"what SQS refuses":    strings.Replace(good, `"event":"feedback"`, `"event":"secret\u0000"`, 1),
		"a body without end":  strings.Replace(good, `"body":"`, `"body":"`+strings.Repeat("x", queue.MaxBodyBytes), 1),
		"a line without end":  strings.Repeat("x", maxLine+1),
		"no line, but a half": good[:len(good)/2],
	} {
		_, err := ReadLetters(strings.NewReader(good + "\n" + line))
		if name == "another body" {
			// The delivery id is that of the envelope: an edited body keeps it.
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err == nil || !strings.HasPrefix(err.Error(), "line 3: ") || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzReadLetters(f *testing.F) {
	f.Add(`{"deliveryId":"` + queue.DeliveryID("hello") + `","reason":"malformed","generation":1,"sentAt":"2026-01-02T03:04:05Z","body":"hello"}`)
	f.Add("{}\n\n[]")
	f.Fuzz(func(t *testing.T, s string) {
		letters, err := ReadLetters(strings.NewReader(s))
		if err != nil {
			return
		}
		var b bytes.Buffer
		for _, l := range letters {
			if err := WriteLetter(&b, l); err != nil {
				t.Fatal(err)
			}
		}
		again, err := ReadLetters(&b)
		if err != nil || len(again) != len(letters) {
			t.Fatalf("imported %d of %d: %v", len(again), len(letters), err)
		}
	})
}
