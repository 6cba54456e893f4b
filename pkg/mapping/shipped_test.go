package mapping

import (
	"encoding/json"
	"path/filepath"
	"testing"

	"fairbridge/pkg/testfairy"
)

// crash is the documented payload.
const crash = `{"event":"crash","timestamp":"2015-07-01 12:01:59","version":"1.0","build":1,"appName":"Demo App","filesize":563876,"buildUrl":"https://app.testfairy.com/projects/10-demoapp/builds/584120","iconUrl":"https://testfairy.s3.amazonaws.com/icons/4/68348e8d8265771d64636e2d57bb9a672f812e1a.png","email":"felix@corporation.com","deviceName":"Samsung Galaxy S2","rawDeviceName":"samsung gt-i9100t","crashMessage":"java.lang.NullPointerException","ipAddress":"54.227.255.225"}`

// TestShippedFile shows what a newcomer's first events become.
func TestShippedFile(t *testing.T) {
	c, err := Load(filepath.Join("..", "..", "fairbridge.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if c.Centercode.BaseURL != "" {
		t.Errorf("the shipped file names a Centercode: %s", c.Centercode.BaseURL)
	}
	for _, test := range []struct{ name, payload, body, attachment string }{
		{
			"feedback", feedback,
			`{"submitter":"alice@corporation.com","summary":"App doesn't render nicely in landscape","description":"App doesn't render nicely in landscape\n\nDemo App 1.0 (1) on samsung gt-i9100t\nSession: https://app.testfairy.com/projects/10-demoapp/builds/584120/sessions/1\n","deliveryId":"0123456789abcdef"}`,
			"https://app.testfairy.com/projects/10-demoapp/builds/584120/sessions/1/screenshots/d64636e2d57672f812e1a348e8.jpg",
		},
		{
			"a screenshot alone, of any app", `{"event":"feedback","appName":"日本","email":"","text":null,"screenshotUrl":"https://app.testfairy.com/x.png"}`,
			`{"summary":"Feedback on 日本","description":"(no text)\n\n日本  () on \n","deliveryId":"0123456789abcdef"}`,
			"https://app.testfairy.com/x.png",
		},
		{
			"no screenshot", `{"event":"feedback","text":"Hi\nthere","build":"7"}`,
			`{"summary":"Hi","description":"Hi\nthere\n\n  (7) on \n","deliveryId":"0123456789abcdef"}`, "",
		},
		{
			"crash", crash,
			`{"submitter":"felix@corporation.com","summary":"Crash: java.lang.NullPointerException","description":"java.lang.NullPointerException\n\nDemo App 1.0 (1) on Samsung Galaxy S2\nBuild: https://app.testfairy.com/projects/10-demoapp/builds/584120\n","deliveryId":"0123456789abcdef"}`, "",
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
			if req.Project != "DEMO" || req.Source != "testfairy" || req.Lookup == nil {
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
