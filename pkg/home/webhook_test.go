package home_test

import (
	"strings"
	"testing"

	"fairbridge/pkg/home"
)

func TestLocalWebhook(t *testing.T) {
	for listen, want := range map[string]string{
		"127.0.0.1:8080": "http://127.0.0.1:8080/webhooks/testfairy?token=n%26w",
		"[::]:8080":      "http://127.0.0.1:8080/webhooks/testfairy?token=n%26w",
		"0.0.0.0:80":     "http://127.0.0.1:80/webhooks/testfairy?token=n%26w",
		"[::1]:8080":     "http://[::1]:8080/webhooks/testfairy?token=n%26w",
		"host:1":         "http://host:1/webhooks/testfairy?token=n%26w",
	} {
		if got := home.LocalWebhook(listen, "n&w"); got != want {
			t.Errorf("%s: got %s", listen, got)
		}
		if got, without := home.LocalWebhook(listen, ""), strings.TrimSuffix(want, "?token=n%26w"); got != without {
			t.Errorf("%s: got %s", listen, got)
		}
	}
}

func TestWithToken(t *testing.T) {
	for address, want := range map[string]string{
		"https://bridge.example.com/webhooks/testfairy": "https://bridge.example.com/webhooks/testfairy?token=t",
		"http://localhost:1/x?a=b&token=old":            "http://localhost:1/x?a=b&token=t",
		"http://[::1]/x":                                "http://[::1]/x?token=t",
	} {
		if got, err := home.WithToken(address, "t"); err != nil || got != want {
			t.Errorf("%s: got %s, %v", address, got, err)
		}
	}
	for _, address := range []string{"ftp://h/?token=s3cret", "http://bridge.example.com/?token=s3cret", "https://u:s3cret@h/", "%zz?token=s3cret", "h", "https://h/#s3cret"} {
		if _, err := home.WithToken(address, "t"); err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: got %v", address, err)
		}
	}
}
