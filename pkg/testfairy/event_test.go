package testfairy_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"fairbridge/pkg/testfairy"
)

func decode(t testing.TB, body string) testfairy.Event {
	t.Helper()
	event, err := testfairy.Decode([]byte(body))
	if err != nil {
		t.Fatalf("Decode(%.80q): %v", body, err)
	}
	return event
}

func TestDecodeTolerates(t *testing.T) {
	tests := []struct {
		name, body string
		wantJSON   string // "" means: same as the body
		wantText   string // the field "text"
	}{
		{name: "plain", body: `{"event":"feedback","text":"hello"}`, wantText: "hello"},
		{name: "space around", body: " \r\n{\"event\":\"feedback\",\t\"text\":\"a\"}\n", wantText: "a"},
		{name: "byte order mark", body: "\uFEFF" + `{"event":"x","text":"a"}`, wantJSON: `{"event":"x","text":"a"}`, wantText: "a"},
		{name: "raw line break in a string", body: "{\"event\":\"x\",\"text\":\"a\r\n\tb\"}",
			wantJSON: `{"event":"x","text":"a\u000d\u000a\u0009b"}`, wantText: "a\r\n\tb"},
		{name: "raw control characters in a string", body: "{\"event\":\"x\",\"text\":\"\x00\x01\x1f\x7f\"}",
			wantJSON: "{\"event\":\"x\",\"text\":\"\\u0000\\u0001\\u001f\x7f\"}", wantText: "\x00\x01\x1f\x7f"},
		{name: "control character in a key", body: "{\"event\":\"x\",\"a\nb\":1,\"text\":\"\"}",
			wantJSON: `{"event":"x","a\u000ab":1,"text":""}`},
		{name: "broken UTF-8", body: "{\"event\":\"x\",\"text\":\"a\xffb\xe2\x82\"}",
			wantJSON: `{"event":"x","text":"a\ufffdb\ufffd\ufffd"}`, wantText: "a\uFFFDb\uFFFD\uFFFD"},
		{name: "surrogate in UTF-8", body: "{\"event\":\"x\",\"text\":\"\xed\xa0\x80\"}",
			wantJSON: `{"event":"x","text":"\ufffd\ufffd\ufffd"}`, wantText: "\uFFFD\uFFFD\uFFFD"},
		{name: "noncharacters that SQS refuses", body: "{\"event\":\"x\",\"text\":\"\uFFFE\uFFFF\"}",
			wantJSON: `{"event":"x","text":"\ufffe\uffff"}`, wantText: "\uFFFE\uFFFF"},
		{name: "noncharacters that SQS takes", body: "{\"event\":\"x\",\"text\":\"\uFDD0\U0001FFFE\uFFFD\"}", wantText: "\uFDD0\U0001FFFE\uFFFD"},
		{name: "escapes stay", body: `{"event":"x","text":"\u0000\n\"\\\/\ufffe\ud83d\ude00"}`, wantText: "\x00\n\"\\/\uFFFE😀"},
		{name: "lone surrogate escape stays", body: `{"event":"x","text":"a\ud83d"}`, wantText: "a\uFFFD"},
		{name: "escaped backslash before the closing quote", body: `{"event":"x","text":"\\","b":"\\\""}`, wantText: `\`},
		{name: "last of a duplicate key", body: `{"event":"crash","event":"x","text":"a","text":"b"}`, wantText: "b"},
		{name: "unknown kind", body: `{"event":"mood"}`},
		{name: "as deep as allowed", body: `{"event":"x","a":` + strings.Repeat("[", 99) + strings.Repeat("]", 99) + `}`},
		{name: "brackets in a string do not nest", body: `{"event":"x","text":"` + strings.Repeat("[", 200) + `"}`, wantText: strings.Repeat("[", 200)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			event := decode(t, tt.body)
			want := tt.wantJSON
			if want == "" {
				want = tt.body
			}
			if got := string(event.JSON); got != want {
				t.Errorf("JSON = %q, want %q", got, want)
			}
			if got := event.Text("text"); got != tt.wantText {
				t.Errorf("text = %q, want %q", got, tt.wantText)
			}
		})
	}
}

func TestDecodeKeepsTheCallersBuffer(t *testing.T) {
	body := []byte(`{"event":"feedback","text":"hello"}`)
	event := decode(t, string(body))
	clear(body)
	if event.Text("text") != "hello" || !json.Valid(event.JSON) {
		t.Errorf("the event changed with the buffer it was decoded from: %s", event.JSON)
	}
}

func TestDecodeRefuses(t *testing.T) {
	deep := `{"event":"x","a":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`
	tests := []struct {
		name, body string
		wantError  string
	}{
		{"empty", "", "decode payload: the body is empty (byte 0)"},
		{"only space", " \n", "decode payload: the body is empty (byte 0)"},
		{"only a byte order mark", "\uFEFF", "decode payload: the body is empty (byte 3)"},
		{"an array", ` [{"event":"feedback"}]`, "decode payload: the body is not a JSON object (byte 1)"},
		{"null", `null`, "decode payload: the body is not a JSON object (byte 0)"},
		{"a form post", `event=feedback&text=a`, "decode payload: the body is not a JSON object (byte 0)"},
		{"UTF-16", "\xff\xfe{\x00}\x00", "decode payload: the body is not a JSON object (byte 0)"},
		{"cut off", `{"event":"feedback"`, "decode payload: the body ends too early (byte 19)"},
		{"cut off in an escape", `{"event":"feed\`, "decode payload: the body ends too early (byte 15)"},
		{"a second object", "{\"event\":\"x\"} \n{}", "decode payload: the body continues after the JSON object (byte 15)"},
		{"bad literal", `{"event":nil}`, "decode payload: invalid character 'i' in literal null (expecting 'u') (byte 10)"},
		{"offset after a byte order mark", "\uFEFF" + `{"event":nil}`, "decode payload: invalid character 'i' in literal null (expecting 'u') (byte 13)"},
		{"no offset after an escape", "{\"a\":\"\n\",\"event\":nil}", "decode payload: invalid character 'i' in literal null (expecting 'u')"},
		{"bad escape", `{"event":"\x41"}`, `decode payload: invalid character 'x' in string escape code (byte 11)`},
		{"backslash before a raw line break", "{\"event\":\"a\\\n\"}", `decode payload: invalid character '\n' in string escape code (byte 12)`},
		{"NaN", `{"event":"x","build":NaN}`, "decode payload: invalid character 'N' looking for beginning of value (byte 21)"},
		{"control character between tokens", "{\"event\":\x00\"x\"}", `decode payload: invalid character '\x00' looking for beginning of value (byte 9)`},
		{"too deep", deep, "decode payload: nested deeper than 100 levels (byte 116)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := testfairy.Decode([]byte(tt.body))
			var syntax *testfairy.SyntaxError
			if !errors.As(err, &syntax) {
				t.Fatalf("error = %v (%T), want a *SyntaxError", err, err)
			}
			if syntax.Error() != tt.wantError {
				t.Errorf("error = %q, want %q", syntax, tt.wantError)
			}
		})
	}
}

func TestKinds(t *testing.T) {
	for body, want := range map[string]testfairy.Kind{
		`{"event":"feedback"}`:                testfairy.KindFeedback,
		`{"event":"Feedback"}`:                testfairy.KindFeedback,
		`{"event":" CRASH\n"}`:                testfairy.KindCrash,
		`{"event":"New-UDID"}`:                "new-udid",
		`{}`:                                  "",
		`{"event":null}`:                      "",
		`{"event":" "}`:                       "",
		`{"event":1}`:                         "",
		`{"event":{}}`:                        "",
		`{"Event":"feedback"}`:                "",
		`{"event":"feedback","event":null}`:   "",
		`{"event":["feedback"],"text":"a"}`:   "",
		`{"event":"crash","event":"upload"} `: testfairy.KindUpload,
	} {
		if got := decode(t, body).Kind; got != want {
			t.Errorf("Decode(%s) is a %q, want %q", body, got, want)
		}
	}
}

func TestKnown(t *testing.T) {
	for _, kind := range []testfairy.Kind{"feedback", "crash", "upload", "download", "new-udid"} {
		if !kind.Known() {
			t.Errorf("%q is not known", kind)
		}
	}
	for _, kind := range []testfairy.Kind{"", "mood", "Feedback"} {
		if kind.Known() {
			t.Errorf("%q is known", kind)
		}
	}
}

func TestText(t *testing.T) {
	event := decode(t, `{"event":"x","s":"a","n":1.50,"big":12345678901234567890,"b":true,"null":null,"o":{},"a":[]}`)
	for field, want := range map[string]string{
		"s": "a", "n": "1.50", "big": "12345678901234567890", "b": "true",
		"null": "", "o": "", "a": "", "missing": "",
	} {
		if got := event.Text(field); got != want {
			t.Errorf("Text(%q) = %q, want %q", field, got, want)
		}
	}
}

func TestDeliveryID(t *testing.T) {
	// sha256 of {"a":1,"event":"x"}, from sha256sum.
	const want = "ccf2c226cb53179af274d2f26df2bb1e6ec57e53d5945bfbd58a34436809a1d4"
	for _, body := range []string{
		`{"a":1,"event":"x"}`,
		"\uFEFF{ \"event\" : \"x\",\n\"a\" : 1 }\n",
		`{"event":"y","a":2,"event":"x","a":1}`,
		`{"\u0061":1,"event":"\u0078"}`,
	} {
		if got := decode(t, body).DeliveryID(); got != want {
			t.Errorf("DeliveryID(%s) = %s, want %s", body, got, want)
		}
	}
	for _, body := range []string{
		`{"a":1.0,"event":"x"}`, `{"a":"1","event":"x"}`, `{"a":null,"event":"x"}`,
		`{"event":"x"}`, `{"a":1,"b":1,"event":"x"}`, `{"A":1,"event":"x"}`,
	} {
		if decode(t, body).DeliveryID() == want {
			t.Errorf("%s has the id of another payload", body)
		}
	}
}

// TestDeliveryIDOfMarkup checks that the canonical form does not escape HTML, so that
// anyone can reproduce it: jq -cjS . payload.json | sha256sum
func TestDeliveryIDOfMarkup(t *testing.T) {
	// sha256 of {"event":"x","text":"<b>&</b>"}, from sha256sum.
	const want = "401774b0508255368583f6b06847473a3cfa5d862d2611b9961b7fb2de70008b"
	if got := decode(t, `{"text":"<b>&</b>","event":"x"}`).DeliveryID(); got != want {
		t.Errorf("DeliveryID = %s, want %s", got, want)
	}
}

func TestNumbersKeepTheirLiterals(t *testing.T) {
	event := decode(t, `{"event":"x","n":[1e400,-0,1.10]}`)
	want := []any{json.Number("1e400"), json.Number("-0"), json.Number("1.10")}
	if got := event.Fields["n"]; !reflect.DeepEqual(got, want) {
		t.Errorf("n = %v, want %v", got, want)
	}
}
