package report

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"unicode"

	"fairbridge/pkg/ingest"
	"fairbridge/pkg/mapping"
	"fairbridge/pkg/preview"
)

// FuzzCheck checks that for every template and payload the report is valid JSON that
// contains the request as mapped, and that no output contains a character that a terminal
// interprets.
func FuzzCheck(f *testing.F) {
	feedback, err := os.ReadFile(filepath.Join("..", "..", "..", "events", "feedback-control-characters.json"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add("{{ .text }}", feedback)
	f.Add("{{ range $k, $v := . }}{{ $k }}{{ $v }}{{ end }}", []byte(`{"event":"feedback","text":"\u001b[31m\u0085\u202e\ud800","\u009b":[{"\u0000":1e999}]}`))
	f.Add("{{ json . }}\x7f", []byte("{\"event\":\"feedback\",\"text\":\"\xff\",\"screenshotUrl\":\"https://app.testfairy.com/\x01\"}"))
	f.Add("{{ .severity }}", []byte(`{"event":"crash","severity":"\u001b]0;x\u0007"}`))
	f.Add("x", []byte(`{"event":"feedback","email":"\u001b"}`))
	f.Fuzz(func(t *testing.T, source string, data []byte) {
		text, err := json.Marshal(source) // JSON strings are YAML strings
		if err != nil || len(data) > ingest.MaxPayloadBytes {
			return
		}
		quoted := string(text)
		config, err := mapping.Parse("x.yaml", []byte(`
routes:
  - match: {event: feedback}
    project: A
    source: b
    fields:
      text: `+quoted+`
      list: {value: [`+quoted+`, 1], split: ","}
      severity: {choice: `+quoted+`, allowed: [Low, High], fallback: Low}
    attachments:
      - {from: `+quoted+`, element: e, filename: `+quoted+`, endpoint: `+quoted+`, optional: true}
  - {match: {event: crash}, project: A, source: b, fields: {severity: {choice: `+quoted+`, allowed: [1]}}}
`))
		if err != nil {
			return
		}
		checkReported(t, config, preview.NewPayload("p\x1b.json", data))
	})
}

func checkReported(t *testing.T, config *mapping.Config, p preview.Payload) {
	t.Helper()
	checker, err := preview.New(preview.Config{Mapping: config})
	if err != nil {
		t.Fatal(err)
	}
	result := checker.Payload(p)
	result.Compare(preview.Preview{Outcome: preview.Ignored})
	check := Check{Config: "x.yaml", Old: "y.yaml", Payloads: []preview.Preview{result}}
	var out bytes.Buffer
	if err := check.WriteJSON(&out); err != nil {
		t.Fatal(err)
	}
	checkVisible(t, out.String())
	var read struct {
		Payloads []struct{ Body json.RawMessage }
	}
	if err := json.Unmarshal(out.Bytes(), &read); err != nil {
		t.Fatalf("%v in\n%s", err, out.String())
	}
	if result.Outcome == preview.Ticket {
		sameJSON(t, read.Payloads[0].Body, result.Body)
	}
	for _, options := range []struct {
		old     string
		verbose bool
	}{{verbose: true}, {}, {old: "y.yaml"}} {
		check.Old = options.old
		var text bytes.Buffer
		if err := check.Write(&text, &text, options.verbose); err != nil {
			t.Fatal(err)
		}
		checkVisible(t, text.String())
		if _, request, ok := strings.Cut(text.String(), "Content-Type: application/json\n\n"); ok {
			var body json.RawMessage
			if err := json.NewDecoder(strings.NewReader(request)).Decode(&body); err != nil {
				t.Fatalf("%v in\n%s", err, request)
			}
			sameJSON(t, body, result.Body)
		}
	}
}

func checkVisible(t *testing.T, text string) {
	t.Helper()
	for _, r := range text {
		if r != '\n' && (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r)) {
			t.Fatalf("%U in\n%q", r, text)
		}
	}
}

func sameJSON(t *testing.T, a, b []byte) {
	t.Helper()
	read := func(data []byte) (v any) {
		d := json.NewDecoder(bytes.NewReader(data))
		d.UseNumber()
		if err := d.Decode(&v); err != nil {
			t.Fatalf("%v in\n%s", err, data)
		}
		return v
	}
	if !reflect.DeepEqual(read(a), read(b)) {
		t.Errorf("%s\nis not\n%s", a, b)
	}
}
