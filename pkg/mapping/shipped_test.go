package mapping

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"fairbridge/pkg/testfairy"
)

// crash is the documented payload.
const crash = `{"event":"crash","timestamp":"2015-07-01 12:01:59","version":"1.0","build":1,"appName":"Demo App","filesize":563876,"buildUrl":"https://app.testfairy.com/projects/10-demoapp/builds/584120","iconUrl":"https://testfairy.s3.amazonaws.com/icons/4/68348e8d8265771d64636e2d57bb9a672f812e1a.png","email":"felix@corporation.com","deviceName":"Samsung Galaxy S2","rawDeviceName":"samsung gt-i9100t","crashMessage":"java.lang.NullPointerException","ipAddress":"54.227.255.225"}`

// TestRepositoryFile checks that the file in this repository is valid, whatever its user
// has changed. No other test reads it.
func TestRepositoryFile(t *testing.T) {
	if _, err := Load(filepath.Join("..", "..", "fairbridge.yaml")); err != nil {
		t.Fatal(err)
	}
}

// TestShippedFile shows what a new user's first events become. testdata/shipped.yaml is the
// repository's file as shipped.
func TestShippedFile(t *testing.T) {
	c, err := Load(filepath.Join("testdata", "shipped.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ name, payload, body, attachment string }{
		{
			"feedback", feedback,
			`{"submitter":"alice@corporation.com","summary":"App doesn't render nicely in landscape","description":"App doesn't render nicely in landscape\n\nYour role: tester\nnested: {\"a\":{\"b\":2.50},\"list\":[null,{\"x\":\"y\"},3],\"null\":null}\ntags: [\"ui\",\"landscape\"]\nyes: true\n\nDemo App 1.0 (1) on samsung gt-i9100t\nSession: https://app.testfairy.com/projects/10-demoapp/builds/584120/sessions/1\n"}`,
			"https://app.testfairy.com/projects/10-demoapp/builds/584120/sessions/1/screenshots/d64636e2d57672f812e1a348e8.jpg",
		},
		{
			"a screenshot alone, of any app", `{"event":"feedback","appName":"日本","email":"","text":null,"screenshotUrl":"https://app.testfairy.com/x.png"}`,
			`{"summary":"Feedback on 日本","description":"(no text)\n\n日本\n"}`,
			"https://app.testfairy.com/x.png",
		},
		{
			"no screenshot", `{"event":"feedback","text":"Hi\nthere","build":"7"}`,
			`{"summary":"Hi","description":"Hi\nthere\n\nUnknown app (7)\n"}`, "",
		},
		{
			"blank text", `{"event":"feedback"}`,
			`{"summary":"Feedback on an app","description":"(no text)\n\nUnknown app\n"}`, "",
		},
		{
			"odd fields", `{"event":"feedback","appName":{},"version":null,"text":["a"],"email":7,"screenshotUrl":""}`,
			`{"summary":"[\"a\"]","description":"[\"a\"]\n\nUnknown app\nFrom: 7\n"}`, "",
		},
		{
			"the form's own fields", `{"event":"feedback","appName":"Demo App","text":"","email":"alice@corporation.com","fullname":"Dana","bio":"It crashes when I tap Save","country":"+1","zip":""}`,
			`{"submitter":"alice@corporation.com","summary":"Feedback on Demo App","description":"(no text)\n\nbio: It crashes when I tap Save\ncountry: +1\nfullname: Dana\n\nDemo App\n"}`, "",
		},
		{
			"an invalid email", `{"event":"feedback","appName":"Demo App","text":"Hi","email":"user-95"}`,
			`{"summary":"Hi","description":"Hi\n\nDemo App\nFrom: user-95\n"}`, "",
		},
		{
			"two addresses", `{"event":"feedback","appName":"Demo App","text":"Hi","email":"a@b.example, c@d.example"}`,
			`{"summary":"Hi","description":"Hi\n\nDemo App\nFrom: a@b.example, c@d.example\n"}`, "",
		},
		{
			"a name and an address", `{"event":"feedback","appName":"Demo App","text":"Hi","email":"Name <a@b.example>"}`,
			`{"submitter":"a@b.example","summary":"Hi","description":"Hi\n\nDemo App\nFrom: Name <a@b.example>\n"}`, "",
		},
		{
			"space around an address", `{"event":"feedback","appName":"Demo App","text":"Hi","email":" a@b.example\n"}`,
			`{"submitter":"a@b.example","summary":"Hi","description":"Hi\n\nDemo App\n"}`, "",
		},
		{
			"a letter with 200 marks", `{"event":"feedback","appName":"Demo App","text":"H` + strings.Repeat("\u0335", 200) + `ello"}`,
			`{"summary":"H` + strings.Repeat("\u0335", 118) + `…","description":"H` + strings.Repeat("\u0335", 200) + `ello\n\nDemo App\n"}`, "",
		},
		{
			"an empty crash", `{"event":"crash"}`, `{"summary":"Crash: no message","description":"(no message)\n\nUnknown app\n"}`, "",
		},
		{
			"crash", crash,
			`{"submitter":"felix@corporation.com","summary":"Crash: java.lang.NullPointerException","description":"java.lang.NullPointerException\n\nDemo App 1.0 (1) on Samsung Galaxy S2\nBuild: https://app.testfairy.com/projects/10-demoapp/builds/584120\n"}`, "",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			req, err := c.Map(input(t, test.payload))
			if err != nil {
				t.Fatal(err)
			}
			if string(req.Body) != test.body || !json.Valid(req.Body) {
				t.Errorf("body %s\nwant %s", req.Body, test.body)
			}
			if req.Project != "DEMO" || req.Source != "testfairy" || req.Lookup != nil || req.OnLostAnswer != Park {
				t.Errorf("%+v", req)
			}
			switch {
			case test.attachment == "" && len(req.Attachments) > 0,
				test.attachment != "" && (len(req.Attachments) != 1 || req.Attachments[0].URL != test.attachment || req.Attachments[0].Element != "screenshot"):
				t.Errorf("attachments %+v, want %q", req.Attachments, test.attachment)
			}
		})
	}
	for kind, want := range map[testfairy.Kind]bool{"feedback": true, "crash": true, "upload": false, "download": false} {
		if c.Wants(kind) != want {
			t.Errorf("Wants(%s) = %t", kind, !want)
		}
	}
}
