package testfairy_test

import (
	"fmt"
	"reflect"
	"testing"

	"fairbridge/pkg/testfairy"
)

const (
	badText   = "is not text"
	badNumber = "is not a number"
	badURL    = "is not an absolute http or https URL"
	badEmail  = "is not one bare email address"
	noText    = "is missing, and so is screenshotUrl"
)

func TestOdd(t *testing.T) {
	tests := []struct {
		name, body string
		want       []testfairy.Oddity // nil: as documented
	}{
		{name: "text only", body: `{"event":"feedback","text":"a"}`},
		{name: "screenshot only", body: `{"event":"feedback","screenshotUrl":"https://app.testfairy.com/a.jpg"}`},
		{name: "text is a number", body: `{"event":"feedback","text":5}`},
		{name: "everything null but the text", body: `{"event":"feedback","timestamp":null,"version":null,"build":null,"appName":null,"filesize":null,"buildUrl":null,"iconUrl":null,"sessionUrl":null,"screenshotUrl":null,"correlationId":null,"email":null,"rawDeviceName":null,"ipAddress":null,"text":"a"}`},
		{name: "everything empty but the text", body: `{"event":"feedback","timestamp":"","version":"","build":"","appName":"","filesize":" ","buildUrl":"","iconUrl":"","sessionUrl":"","screenshotUrl":" ","correlationId":"","email":" ","rawDeviceName":"","ipAddress":"","text":"a"}`},
		{name: "an app's own fields hold anything", body: `{"event":"feedback","text":"a","rating":5,"custom":{"a":[1]},"crashMessage":{}}`},
		{name: "unknown kinds are not checked", body: `{"event":"mood","email":5,"text":{}}`},
		{name: "a crash needs nothing", body: `{"event":"crash"}`},
		{name: "an upload needs nothing", body: `{"event":"upload"}`},
		{name: "a referer is any text", body: `{"event":"download","referer":"android-app://com.example"}`},
		{name: "neither text nor screenshot", body: `{"event":"feedback"}`, want: []testfairy.Oddity{{Field: "text", Problem: noText}}},
		{name: "blank text, null screenshot", body: `{"event":"feedback","text":" \n","screenshotUrl":null}`, want: []testfairy.Oddity{{Field: "text", Problem: noText}}},
		{name: "a bad screenshot is not a missing one", body: `{"event":"feedback","screenshotUrl":"a.jpg"}`, want: []testfairy.Oddity{{Field: "screenshotUrl", Problem: badURL}}},
		{name: "every field of a feedback is bad", body: `{"event":"feedback","timestamp":{},"version":[],"build":[1],"appName":true,"filesize":false,"buildUrl":1,"iconUrl":"x","sessionUrl":"ftp://a/b","screenshotUrl":"//a/b.jpg","correlationId":{},"email":"alice","rawDeviceName":[],"ipAddress":{},"text":{"a":1}}`,
			want: []testfairy.Oddity{
				{Field: "timestamp", Problem: badText}, {Field: "version", Problem: badText}, {Field: "build", Problem: badText},
				{Field: "appName", Problem: badText}, {Field: "filesize", Problem: badNumber}, {Field: "iconUrl", Problem: badURL},
				{Field: "buildUrl", Problem: badURL}, {Field: "sessionUrl", Problem: badURL}, {Field: "screenshotUrl", Problem: badURL},
				{Field: "correlationId", Problem: badText}, {Field: "email", Problem: badEmail}, {Field: "rawDeviceName", Problem: badText},
				{Field: "ipAddress", Problem: badText}, {Field: "text", Problem: badText},
			}},
		{name: "crash", body: `{"event":"crash","deviceName":{},"crashMessage":[],"email":"a b"}`,
			want: []testfairy.Oddity{{Field: "email", Problem: badEmail}, {Field: "deviceName", Problem: badText}, {Field: "crashMessage", Problem: badText}}},
		{name: "download", body: `{"event":"download","testerEmail":"nobody","referer":{}}`,
			want: []testfairy.Oddity{{Field: "testerEmail", Problem: badEmail}, {Field: "referer", Problem: badText}}},
		{name: "a new UDID", body: `{"event":"new-udid","udid":[],"device":{},"email":"alice","platform":true}`,
			want: []testfairy.Oddity{{Field: "udid", Problem: badText}, {Field: "device", Problem: badText}, {Field: "email", Problem: badEmail}, {Field: "platform", Problem: badText}}},
		{name: "upload", body: `{"event":"upload","communityUrl":"tsfr.io/myapp"}`,
			want: []testfairy.Oddity{{Field: "communityUrl", Problem: badURL}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := decode(t, tt.body).Odd(); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("Odd() = %v, want %v", got, tt.want)
			}
		})
	}
}

func TestOddValues(t *testing.T) {
	tests := []struct {
		field       string
		good, wrong []string // JSON values
	}{
		{
			field: "email",
			good:  []string{`"a@b.c"`, `" a@b.c "`, `"alice+tag@corporation.com"`, `"ü@bücher.example"`, `"\"a b\"@c.d"`, `"o'neil@x.example"`},
			wrong: []string{`"Alice <a@b.c>"`, `"<a@b.c>"`, `"a@b.c (Alice)"`, `"a@b.c, d@e.f"`, `"Team: a@b.c;"`, `"a"`, `"@b.c"`, `"a@"`, `"a@b@c"`, `5`, `true`, `[]`},
		},
		{
			field: "screenshotUrl",
			good:  []string{`"http://a/b"`, `"HTTPS://A.example:8443/b?c=d#e"`, `"https://a/ä b.jpg"`, `"https://[::1]/a"`},
			wrong: []string{`"a/b.jpg"`, `"/b.jpg"`, `"https:///b.jpg"`, `"https:b.jpg"`, `"https://:80/"`, `"file:///etc/passwd"`, `"javascript:alert(1)"`, `"https://a/%zz"`, `"https://a b/"`, `"https://a/\n"`, `"http://[::1/"`, `7`, `{}`},
		},
		{
			field: "build",
			good:  []string{`1`, `"1.2.3"`, `"one"`, `""`},
			wrong: []string{`true`, `[1]`, `{}`},
		},
		{
			field: "filesize",
			good:  []string{`1`, `-1`, `1.5`, `1e400`, `"1"`, `" 42 "`, `"007"`, `"1e400"`, `""`},
			wrong: []string{`"one"`, `"1.2.3"`, `"inf"`, `"NaN"`, `"0x10"`, `"1_000"`, `"-"`, `"e"`, `true`, `[1]`, `{}`},
		},
		{
			field: "appName",
			good:  []string{`"Demo"`, `""`, `12`},
			wrong: []string{`true`, `[]`, `{}`},
		},
	}
	for _, tt := range tests {
		verdicts := func(values []string, wantOdd bool) {
			for _, value := range values {
				event := decode(t, fmt.Sprintf(`{"event":"feedback","text":"a",%q:%s}`, tt.field, value))
				odd := event.Odd()
				if wantOdd != (len(odd) == 1) || len(odd) > 1 || wantOdd && odd[0].Field != tt.field {
					t.Errorf("%s = %s: Odd() names %v, want it odd: %t", tt.field, value, odd, wantOdd)
				}
			}
		}
		verdicts(tt.good, false)
		verdicts(tt.wrong, true)
	}
}

func TestOddQuotesNoValue(t *testing.T) {
	odd := decode(t, `{"event":"feedback","email":"secret value","filesize":"secret value"}`).Odd()
	want := "[{filesize " + badNumber + "} {email " + badEmail + "} {text " + noText + "}]"
	if got := fmt.Sprint(odd); got != want {
		t.Errorf("Odd() = %s, want %s", got, want)
	}
}
