package mapping

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"fairbridge/pkg/testfairy"
)

// feedback is the documented payload, with two fields added by the app.
const feedback = `{"event":"feedback","timestamp":"2015-07-01 17:21:00","version":"1.0","build":1,"appName":"Demo App","filesize":563876,
"buildUrl":"https://app.testfairy.com/projects/10-demoapp/builds/584120",
"sessionUrl":"https://app.testfairy.com/projects/10-demoapp/builds/584120/sessions/1",
"screenshotUrl":"https://app.testfairy.com/projects/10-demoapp/builds/584120/sessions/1/screenshots/d64636e2d57672f812e1a348e8.jpg",
"correlationId":"user-95","email":"alice@corporation.com","rawDeviceName":"samsung gt-i9100t","ipAddress":"54.227.255.225",
"text":"App doesn't render nicely in landscape","Your role":"tester","tags":["ui","landscape"],
"nested":{"a":{"b":2.50},"null":null,"list":[null,{"x":"y"},3]},"no":null,"yes":true}`

func event(t testing.TB, payload string) testfairy.Event {
	t.Helper()
	e, err := testfairy.Decode([]byte(payload))
	if err != nil {
		t.Fatalf("decode the payload: %v", err)
	}
	return e
}

func input(t testing.TB, payload string) Input {
	t.Helper()
	return Input{
		Event:      event(t, payload),
		DeliveryID: "0123456789abcdef",
		ReceivedAt: time.Date(2026, 3, 4, 5, 6, 7, 0, time.FixedZone("", 3600)),
	}
}

// mustParse parses a file that must be valid.
func mustParse(t testing.TB, file string) *Config {
	t.Helper()
	c, err := Parse("fairbridge.yaml", []byte(file))
	if err != nil {
		t.Fatalf("parse: %v\n%s", err, file)
	}
	return c
}

// route returns a file with one route for feedback that has the fields, which the caller
// indents by 6 spaces.
func route(fields string) string {
	return "routes:\n  - match: {event: feedback}\n    project: DEMO\n    source: testfairy\n    fields:\n" + fields
}

// with changes top-level fields of a payload; a nil value removes one.
func with(t testing.TB, payload string, changes map[string]any) string {
	t.Helper()
	var fields map[string]any
	decoder := json.NewDecoder(strings.NewReader(payload))
	decoder.UseNumber()
	if err := decoder.Decode(&fields); err != nil {
		t.Fatal(err)
	}
	for name, value := range changes {
		fields[name] = value
		if value == nil {
			delete(fields, name)
		}
	}
	data, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
