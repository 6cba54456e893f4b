package queue

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"fairbridge/pkg/testfairy"
)

var edited = time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)

func TestSet(t *testing.T) {
	for _, tc := range []struct{ name, event, field, value, want, old string }{
		{"a text", `{"event":"feedback", "email" : "a@b" ,"n":1.0}`, "email", "c@d", `{"event":"feedback", "email" : "c@d" ,"n":1.0}`, `"a@b"`},
		{"a number becomes text", `{"build":1}`, "build", "2", `{"build":"2"}`, `1`},
		{"an object", `{"a":{"b":[1,2]},"c":null}`, "a", "x", `{"a":"x","c":null}`, `{"b":[1,2]}`},
		{"null", `{"c":null}`, "c", "x", `{"c":"x"}`, `null`},
		{"null becomes empty", `{"c":null}`, "c", "", `{"c":""}`, `null`},
		{"missing", `{"event":"crash"}`, "email", "c@d", `{"event":"crash","email":"c@d"}`, `null`},
		{"missing from nothing", `{ }`, "email", "c@d", `{ "email":"c@d"}`, `null`},
		{"the last of two", `{"a":1,"a":2}`, "a", "3", `{"a":1,"a":"3"}`, `2`},
		{"not the one within", `{"x":{"a":1},"a":2}`, "a", "3", `{"x":{"a":1},"a":"3"}`, `2`},
		{"an escaped name", `{"\u0061":1}`, "a", "3", `{"\u0061":"3"}`, `1`},
		{"what SQS refuses", `{"a":1}`, "a", "<\x00\uFFFE\n>", `{"a":"<\u0000\ufffe\n>"}`, `1`},
		{"the same", `{"a":"x"}`, "a", "x", `{"a":"x"}`, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e := Envelope{DeliveryID: id, ReceivedAt: edited, Event: json.RawMessage(tc.event)}
			changed, err := e.Set(tc.field, tc.value, edited)
			if err != nil || changed != (tc.old != "") {
				t.Fatalf("changed %v, %v", changed, err)
			}
			if string(e.Event) != tc.want {
				t.Errorf("event %s\n want %s", e.Event, tc.want)
			}
			if !changed {
				return
			}
			if len(e.Edits) != 1 || e.Edits[0].Field != tc.field || string(e.Edits[0].Old) != tc.old || !e.Edits[0].At.Equal(edited.Truncate(time.Second)) {
				t.Errorf("the record is %+v", e.Edits)
			}
		})
	}
}

func TestEditsTravelWithTheMessage(t *testing.T) {
	e := Envelope{DeliveryID: id, ReceivedAt: edited, Event: json.RawMessage(`{"event":"feedback","email":"a@b"}`)}
	for _, value := range []string{"c@d", "e<f>\uFFFF@g"} {
		if _, err := e.Set("email", value, edited); err != nil {
			t.Fatal(err)
		}
	}
	body, err := e.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if !Fits(body) {
		t.Errorf("SQS rejects %q", body)
	}
	got, err := Decode(body)
	if err != nil {
		t.Fatal(err)
	}
	if got.DeliveryID != id || string(got.Event) != `{"event":"feedback","email":"e<f>\uffff@g"}` || len(got.Edits) != 2 {
		t.Errorf("decoded as %+v", got)
	}
	for i, want := range []string{`"a@b"`, `"c@d"`} {
		if string(got.Edits[i].Old) != want {
			t.Errorf("edit %d was %s, want %s", i, got.Edits[i].Old, want)
		}
	}
}

func TestAnEditKeepsOnlyTheBeginningOfALongValue(t *testing.T) {
	long := strings.Repeat("é", maxOldBytes)
	e := Envelope{DeliveryID: id, ReceivedAt: edited, Event: json.RawMessage(`{"text":"` + long + `"}`)}
	if _, err := e.Set("text", "short", edited); err != nil {
		t.Fatal(err)
	}
	var old string
	if err := json.Unmarshal(e.Edits[0].Old, &old); err != nil || len(old) > maxOldBytes+3 || !strings.HasSuffix(old, "é…") {
		t.Errorf("%d bytes, %v", len(old), err)
	}
}

func TestSetRefuses(t *testing.T) {
	for _, tc := range []struct{ field, value string }{{"", "x"}, {"a\xff", "x"}, {"a", "\xff"}} {
		e := Envelope{Event: json.RawMessage(`{}`)}
		if _, err := e.Set(tc.field, tc.value, edited); err == nil || len(e.Edits) != 0 {
			t.Errorf("%q=%q: %v", tc.field, tc.value, err)
		}
	}
}

// FuzzSet checks that for every event the field has the value afterwards, and nothing else
// changes.
func FuzzSet(f *testing.F) {
	f.Add(`{"event":"feedback","email":"a@b","n":[1,{"x":null}]}`, "email", "c@d")
	f.Add(`{}`, "é", "\u2028\uFFFE<")
	f.Add(`{"a":1,"a":2}`, "a", "")
	f.Fuzz(func(t *testing.T, event, field, value string) {
		before, err := testfairy.Decode([]byte(event))
		if err != nil || !json.Valid([]byte(event)) || bytes.TrimSpace([]byte(event))[0] != '{' {
			return
		}
		e := Envelope{Event: json.RawMessage(bytes.TrimSpace([]byte(event)))}
		changed, err := e.Set(field, value, edited)
		if err != nil {
			return
		}
		var got, want map[string]json.RawMessage
		if err := json.Unmarshal(e.Event, &got); err != nil {
			t.Fatalf("%s is not JSON: %v", e.Event, err)
		}
		if err := json.Unmarshal([]byte(event), &want); err != nil {
			t.Fatal(err)
		}
		var text string
		if err := json.Unmarshal(got[field], &text); err != nil || text != value {
			t.Errorf("%q is %s, want %q (changed %v, %v)", field, got[field], value, changed, err)
		}
		delete(got, field)
		delete(want, field)
		if len(got) != len(want) {
			t.Errorf("%s became %s", event, e.Event)
		}
		for k, v := range want {
			if string(got[k]) != string(v) {
				t.Errorf("%q was %s and is %s", k, v, got[k])
			}
		}
		_ = before
	})
}
