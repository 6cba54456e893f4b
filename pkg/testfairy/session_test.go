package testfairy_test

import (
	"strings"
	"testing"

	"fairbridge/pkg/testfairy"
)

func TestSessionIDs(t *testing.T) {
	tests := []struct {
		url  string
		want string // the ids, separated by spaces; "" if there are none
	}{
		{"https://app.testfairy.com/projects/10-demoapp/builds/584120/sessions/1", "10-demoapp 584120 1"},
		{"https://app.testfairy.com/projects/10-demoapp/builds/584120/sessions/1/", "10-demoapp 584120 1"},
		{"https://app.testfairy.com/projects/10/builds/2/sessions/3?tab=logs#top", "10 2 3"},
		{"https://app.testfairy.com/projects/10/builds/2/sessions/3/screenshots/a.jpg", "10 2 3"},
		{"https://app.testfairy.com/projects/10-%C3%A4%3F/builds/2/sessions/3", "10-ä? 2 3"},
		{"https://app.testfairy.com/projects/10/builds/2", ""},
		{"https://app.testfairy.com/projects/10/builds/2/sessions/", ""},
		{"https://app.testfairy.com/projects//builds/2/sessions/3", ""},
		{"https://app.testfairy.com/projects/../builds/2/sessions/3", ""},
		{"https://app.testfairy.com/projects/%2e%2e/builds/2/sessions/3", ""},
		{"https://app.testfairy.com/projects/10%2F11/builds/2/sessions/3", ""},
		{"https://app.testfairy.com/projects/10/builds/2%5C/sessions/3", ""},
		{"https://app.testfairy.com/projects/10/builds/2/sessions/3%00", ""},
		{"https://app.testfairy.com/projects/10/sessions/2/builds/3", ""},
		{"https://app.testfairy.com/", ""},
		{"://", ""},
		{"", ""},
	}
	for _, tt := range tests {
		project, build, session, ok := testfairy.SessionIDs(tt.url)
		got := strings.TrimSpace(project + " " + build + " " + session)
		if got != tt.want || ok != (tt.want != "") {
			t.Errorf("SessionIDs(%q) = %q, %t, want %q", tt.url, got, ok, tt.want)
		}
	}
}
