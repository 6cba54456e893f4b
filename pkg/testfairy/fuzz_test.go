package testfairy_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"fairbridge/pkg/testfairy"
)

// FuzzDecode checks Decode's promises for any body: it does not panic, and if it accepts
// the body, the JSON is valid, can be sent through SQS, and means the same.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		"", "null", `{"event":"feedback","text":"a"}`, "\uFEFF{\"event\":\"x\"}\n",
		"{\"event\":\"x\",\"a\":\"\x00\n\xff\uFFFE\"}", `{"event":"x","a":"\ud83d\u0000\\"}`,
		`{"event":"x","a":[1e5,{"b":null,"b":true}],"a":"\"<&>"}`, `{"event":"x"}{}`,
		`{"event":"x","a":` + strings.Repeat("[", 101), "{\"a\xff\":1,\"a\xfe\":2,\"event\":\"x\"}",
		`{"event":"feedback","email":"Team: a@b.c;","screenshotUrl":"https://a/%","build":"1e9","filesize":"x"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		event, err := testfairy.Decode(body)
		names := testfairy.FieldNames(body)
		for _, name := range names {
			if len(name) > 64 || !utf8.ValidString(name) {
				t.Errorf("the name of a field is %q", name)
			}
		}
		if err != nil {
			if err.Error() == "" {
				t.Error("an error without a message")
			}
			return
		}
		for _, o := range event.Odd() {
			if _, there := event.Fields[o.Field]; o.Problem == "" || !there && o.Field != "text" {
				t.Errorf("odd: %+v", o)
			}
		}

		if !json.Valid(event.JSON) {
			t.Errorf("JSON is not valid: %q", event.JSON)
		}
		if i := bytes.IndexFunc(event.JSON, refusedBySQS); i >= 0 || !utf8.Valid(event.JSON) {
			t.Errorf("SQS rejects JSON at byte %d: %q", i, event.JSON)
		}
		if plain := bytes.TrimPrefix(body, []byte("\uFEFF")); json.Valid(plain) && len(names) < min(len(event.Fields), 50) {
			t.Errorf("%q are the names of %d fields", names, len(event.Fields))
		}
		if plain := bytes.TrimPrefix(body, []byte("\uFEFF")); json.Valid(plain) && !reflect.DeepEqual(strictDecode(t, plain), event.Fields) {
			t.Errorf("a valid payload decodes to %v, want %v", event.Fields, strictDecode(t, plain))
		}
		again, err := testfairy.Decode(event.JSON)
		if err != nil {
			t.Fatalf("Decode(JSON): %v", err)
		}
		if !bytes.Equal(again.JSON, event.JSON) || !reflect.DeepEqual(again, event) {
			t.Errorf("decoded again: %+v, want %+v", again, event)
		}
		if got, want := again.DeliveryID(), idByEncodingJSON(t, event.Fields); event.DeliveryID() != want || got != want {
			t.Errorf("the delivery id is %s, and %s decoded again, want %s", event.DeliveryID(), got, want)
		}
	})
}

func idByEncodingJSON(t *testing.T, fields map[string]any) string {
	t.Helper()
	var canonical bytes.Buffer
	encoder := json.NewEncoder(&canonical)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(fields); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(bytes.TrimSuffix(canonical.Bytes(), []byte("\n")))
	return hex.EncodeToString(sum[:])
}

// refusedBySQS is the complement of the characters that the SQS developer guide lists for
// message bodies.
func refusedBySQS(r rune) bool {
	switch {
	case r == 0x9, r == 0xA, r == 0xD,
		r >= 0x20 && r <= 0xD7FF, r >= 0xE000 && r <= 0xFFFD, r >= 0x10000 && r <= 0x10FFFF:
		return false
	}
	return true
}

func strictDecode(t *testing.T, text []byte) map[string]any {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var fields map[string]any
	if err := decoder.Decode(&fields); err != nil {
		t.Fatalf("decode strictly: %v", err)
	}
	return fields
}

// FuzzSessionIDs checks that no id can change the path that contains it.
func FuzzSessionIDs(f *testing.F) {
	f.Add("https://app.testfairy.com/projects/10-demoapp/builds/584120/sessions/1")
	f.Add("https://a/projects/%2e%2e/builds/%2f/sessions/%00")
	f.Fuzz(func(t *testing.T, sessionURL string) {
		project, build, session, ok := testfairy.SessionIDs(sessionURL)
		for _, id := range []string{project, build, session} {
			if ok != (id != "") {
				t.Errorf("ok = %t with the id %q", ok, id)
			}
			if id == "." || id == ".." || strings.ContainsAny(id, "/\\\x00\r\n") {
				t.Errorf("id %q can change a path", id)
			}
		}
	})
}

// BenchmarkDecode decodes 300 KB payloads: ordinary text, and the worst case, in which
// every byte must be escaped.
func BenchmarkDecode(b *testing.B) {
	for _, bench := range []struct{ name, unit string }{
		{"text", "Grüße, the app doesn't render nicely in landscape 📱. "},
		{"escapes", `a \"quoted\" line\n`},
		{"control characters", "\x01"},
	} {
		text := strings.Repeat(bench.unit, 300_000/len(bench.unit))
		body := []byte(`{"event":"feedback","build":1,"text":"` + text + `"}`)
		b.Run(bench.name, func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := testfairy.Decode(body); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkDeliveryID computes the id of a 300 KB payload.
func BenchmarkDeliveryID(b *testing.B) {
	event := decode(b, `{"event":"feedback","text":"`+strings.Repeat("Grüße aus der App 📱. ", 300_000/25)+`"}`)
	b.SetBytes(int64(len(event.JSON)))
	b.ReportAllocs()
	for b.Loop() {
		event.DeliveryID()
	}
}
