package deadletter_test

import (
	"fmt"
	"strings"
	"testing"

	"fairbridge/pkg/deadletter"
	"fairbridge/pkg/queue"
)

func TestDraft(t *testing.T) {
	o := newFixture(t, rejected(t, 1))
	draft, err := o.Draft(t.Context(), idOf(1)[:8])
	o.must(err)
	want := `{
  "event": "feedback",
  "text": "feedback 1",
  "email": "a@example.com"
}
`
	if string(draft.Text) != want || draft.DeliveryID != idOf(1) {
		t.Errorf("got %s of %s", draft.Text, draft.DeliveryID)
	}
	if _, err := o.Draft(t.Context(), "abcdef"); err == nil || err.Error() != "there is no dead letter abcdef" {
		t.Errorf("of none: %v", err)
	}
	if got := o.ids(); len(got) != 1 {
		t.Errorf("%q are visible afterwards", got)
	}
}

func TestCorrections(t *testing.T) {
	draft := deadletter.Draft{Text: []byte(`{"event":"feedback","text":"a","n":1.50,"icon":{"a":[1]},"email":"x"}`)}
	for edited, want := range map[string]string{
		`{"n":1.50,"icon":{"a":[1]},"text":"\u0061","event":"feedback","email":"x"}`:      "",
		`{"event":"feedback","text":"b","n":1.50,"icon":{"a":[1]},"email":"x"}`:           `text="b"`,
		`{"event":"feedback","text":"a","n":1.5,"icon":{"a":[ 2 ]},"email":"x","z":true}`: `icon={"a":[2]} n=1.5 z=true`,
		`{"event":"feedback","text":"a","n":1.50,"icon":{"a":[1]}}`:                       `email=null`,
		"{\n\n\"event\"}": "line 3: this is not JSON: invalid character '}' after object key",
		`[1]`:             "this is not a JSON object",
		`null`:            "this is not a JSON object",
		``:                "line 1: this is not JSON: unexpected end of JSON input",
	} {
		sets, err := draft.Corrections([]byte(edited), false)
		var got []string
		for _, s := range sets {
			got = append(got, fmt.Sprintf("%s=%s", s.Field, s.JSON))
		}
		if err != nil {
			got = []string{err.Error()}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: got %q, want %s", edited, got, want)
		}
	}
}

// TestEditKeepsTheOldValue checks that an edit is recorded with the event, including the
// old value.
func TestEditKeepsTheOldValue(t *testing.T) {
	l := rejected(t, 1)
	changes, err := deadletter.Edit(&l, []deadletter.Assignment{{Field: "text", JSON: []byte(`"b"`)}, {Field: "email", JSON: []byte("null")}}, nil, died)
	if err != nil || len(changes) != 2 {
		t.Fatalf("%+v, %v", changes, err)
	}
	e, err := queue.Decode(l.Body)
	if err != nil || string(e.Event) != `{"event":"feedback","text":"b","email":null}` ||
		string(e.Edits[0].Old) != `"feedback 1"` || string(e.Edits[1].Old) != `"a@example.com"` || e.DeliveryID != idOf(1) {
		t.Errorf("%s, %+v, %v", e.Event, e.Edits, err)
	}
}
