package queue

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
)

var id = strings.Repeat("ab", 32)

func TestEnvelopeRoundTrip(t *testing.T) {
	event := `{"event":"feedback","text":"a \u0000 \ufffe é","n":1.0}`
	at := time.Date(2026, 1, 2, 3, 4, 5, 678900000, time.UTC)
	body, err := Envelope{DeliveryID: id, ReceivedAt: at, Event: json.RawMessage(event)}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	want := `{"version":1,"deliveryId":"` + id + `","receivedAt":"2026-01-02T03:04:05.6789Z","event":` + event + `}`
	if body != want {
		t.Errorf("body %s\nwant %s", body, want)
	}
	got, err := Decode(body)
	if err != nil {
		t.Fatal(err)
	}
	if got.DeliveryID != id || !got.ReceivedAt.Equal(at) || string(got.Event) != event {
		t.Errorf("decoded as %+v", got)
	}
}

func TestEncodeLeavesRoomForDeadLetterAttributes(t *testing.T) {
	event := json.RawMessage(`{"text":"` + strings.Repeat("x", MaxBodyBytes) + `"}`)
	if _, err := (Envelope{DeliveryID: id, Event: event}).Encode(); !errors.Is(err, ErrTooLarge) {
		t.Errorf("got %v", err)
	}
	letter := DeadLetter{
		DeliveryID: id, Event: "feedback", Reason: ReasonAttachmentEndpoint, Stage: "attach", Status: 599,
		Description: strings.Repeat("\U0001F600", 2*MaxDescription), Attempts: 1 << 30, Generation: 1 << 30, Replays: 1 << 30, FailedAt: time.Now(),
	}
	size := 0
	for name, a := range letter.Attributes() {
		size += len(name) + len(*a.DataType) + len(*a.StringValue)
	}
	if room := 1<<20 - MaxBodyBytes; size > room {
		t.Errorf("the largest dead letter needs %d bytes of attributes, there is room for %d", size, room)
	}
}

func TestDecodeRefusesForeignMessages(t *testing.T) {
	for name, body := range map[string]string{
		"empty":            ``,
		"not JSON":         `hello secret`,
		"an array":         `[]`,
		"another version":  `{"version":2,"deliveryId":"` + id + `","receivedAt":"2026-01-02T03:04:05Z","event":{}}`,
		"no version":       `{"deliveryId":"` + id + `","receivedAt":"2026-01-02T03:04:05Z","event":{}}`,
		"short id":         `{"version":1,"deliveryId":"abcd","receivedAt":"2026-01-02T03:04:05Z","event":{}}`,
		"id not in hex":    `{"version":1,"deliveryId":"` + strings.Repeat("zz", 32) + `","receivedAt":"2026-01-02T03:04:05Z","event":{}}`,
		"no time":          `{"version":1,"deliveryId":"` + id + `","event":{}}`,
		"a bad time":       `{"version":1,"deliveryId":"` + id + `","receivedAt":"secret","event":{}}`,
		"no event":         `{"version":1,"deliveryId":"` + id + `","receivedAt":"2026-01-02T03:04:05Z"}`,
		"event is a text":  `{"version":1,"deliveryId":"` + id + `","receivedAt":"2026-01-02T03:04:05Z","event":"secret"}`,
		"event is null":    `{"version":1,"deliveryId":"` + id + `","receivedAt":"2026-01-02T03:04:05Z","event":null}`,
		"wrong field type": `{"version":"secret"}`,
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Decode(body)
			if !errors.Is(err, ErrMalformed) {
				t.Fatalf("got %v", err)
			}
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("the error quotes the message: %v", err)
			}
		})
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(`{"version":1,"deliveryId":"` + id + `","receivedAt":"2026-01-02T03:04:05Z","event":{"a":[1]}}`)
	f.Add(`{}`)
	f.Fuzz(func(t *testing.T, body string) {
		e, err := Decode(body)
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Errorf("error without ErrMalformed: %v", err)
			}
			return
		}
		again, err := e.Encode()
		if errors.Is(err, ErrTooLarge) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		back, err := Decode(again)
		if err != nil || back.DeliveryID != e.DeliveryID || string(back.Event) != string(e.Event) || !back.ReceivedAt.Equal(e.ReceivedAt) {
			t.Errorf("%+v became %+v (%v)", e, back, err)
		}
	})
}
