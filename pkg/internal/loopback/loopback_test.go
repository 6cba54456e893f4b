package loopback_test

import (
	"net/url"
	"testing"

	"fairbridge/pkg/internal/loopback"
)

func TestIsHost(t *testing.T) {
	for raw, want := range map[string]bool{
		"http://localhost":                    true,
		"http://LOCALHOST":                    true,
		"http://LocalHost:8080":               true,
		"http://127.0.0.1":                    true,
		"http://127.255.0.3:1":                true,
		"http://[::1]:8080":                   true,
		"http://[::1%25lo]":                   false,
		"http://[::ffff:127.0.0.1]":           false,
		"http://[0:0:0:0:0:0:0:1]":            false,
		"http://[::]":                         false,
		"http://0.0.0.0":                      false,
		"http://10.0.0.1":                     false,
		"http://127.1":                        false,
		"http://127.0.0.1.":                   false,
		"http://127.0.0.01":                   false,
		"http://2130706433":                   false,
		"http://0x7f.0.0.1":                   false,
		"http://localhost.":                   false,
		"http://localhost.example.com":        false,
		"http://x.localhost":                  false,
		"http://127.0.0.1.example.com":        false,
		"http://localho\u017ft":               false, // the long s
		"http://localhost@example.com":        false,
		"http://\uff11\uff12\uff17.0.0.1":     false,
		"http://ⓛocalhost":                    false,
		"http://lo\u200dcalhost":              false,
		"http://ip6-localhost":                false,
		"http://beta.example.com/x@localhost": false,
	} {
		u, err := url.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		if got := loopback.IsHost(u.Hostname()); got != want {
			t.Errorf("%s: %v, want %v", raw, got, want)
		}
	}
	for _, host := range []string{"", " localhost", "localhost:80", "[::1]", "::1%", "127.0.0.1/8"} {
		if loopback.IsHost(host) {
			t.Errorf("%q is loopback", host)
		}
	}
}

func TestReachable(t *testing.T) {
	for listen, want := range map[string]string{
		"0.0.0.0:8080":        "127.0.0.1:8080",
		"[::]:8080":           "127.0.0.1:8080",
		"127.0.0.1:8080":      "127.0.0.1:8080",
		"[::1]:8080":          "[::1]:8080",
		"192.0.2.1:8080":      "192.0.2.1:8080",
		"bridge.example:8080": "bridge.example:8080",
		"":                    "",
	} {
		if got := loopback.Reachable(listen); got != want {
			t.Errorf("%q: %q, want %q", listen, got, want)
		}
	}
}
