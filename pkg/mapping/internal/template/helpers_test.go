package template

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
)

// feedback is the documented payload, with two fields added by the app.
const feedback = `{"event":"feedback","timestamp":"2015-07-01 17:21:00","version":"1.0","build":1,"appName":"Demo App","filesize":563876,
"buildUrl":"https://app.testfairy.com/projects/10-demoapp/builds/584120",
"sessionUrl":"https://app.testfairy.com/projects/10-demoapp/builds/584120/sessions/1",
"screenshotUrl":"https://app.testfairy.com/projects/10-demoapp/builds/584120/sessions/1/screenshots/d64636e2d57672f812e1a348e8.jpg",
"correlationId":"user-95","email":"alice@corporation.com","rawDeviceName":"samsung gt-i9100t","ipAddress":"54.227.255.225",
"text":"App doesn't render nicely in landscape","Your role":"tester","tags":["ui","landscape"],
"nested":{"a":{"b":2.50},"null":null,"list":[null,{"x":"y"},3]},"no":null,"yes":true}`

// newExecution returns an execution for a payload.
func newExecution(t testing.TB, payload string) *Execution {
	t.Helper()
	fields := decode(t, payload)
	fields["deliveryId"] = "0123456789abcdef"
	fields["receivedAt"] = "2026-03-04T04:06:07Z"
	own := decode(t, payload)
	maps.DeleteFunc(own, func(name string, _ any) bool {
		return !slices.Contains([]string{"Your role", "tags", "nested", "no", "yes"}, name)
	})
	return New(fields, own)
}

func decode(t testing.TB, payload string) map[string]any {
	t.Helper()
	var fields map[string]any
	decoder := json.NewDecoder(strings.NewReader(payload))
	decoder.UseNumber()
	if err := decoder.Decode(&fields); err != nil {
		t.Fatalf("decode the payload: %v", err)
	}
	return fields
}

// with changes top-level fields of a payload.
func with(t testing.TB, payload string, changes map[string]any) string {
	t.Helper()
	fields := decode(t, payload)
	maps.Copy(fields, changes)
	data, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
