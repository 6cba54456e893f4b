package api_test

import (
	"testing"

	"fairbridge/pkg/testfairy/api"
)

// TestRegistrationFinds checks that the bridge's webhooks are found by its address, and by
// name only if there are none.
func TestRegistrationFinds(t *testing.T) {
	r := api.Registration{
		Webhook: api.Webhook{Name: "FairBridge", URL: "https://bridge.example.com/w?token=new"},
		Tokens:  []string{"new", "old"},
	}
	named := api.Webhook{ID: "1", Name: "FairBridge", URL: "https://old.example.com/w?token=new"}
	other := api.Webhook{ID: "2", Name: "Other", URL: "https://other.example.com/w"}
	for token, want := range map[string]string{"?token=new": "current", "?token=old": "previous", "?token=x": "wrong", "": "none"} {
		here := api.Webhook{ID: "3", Name: "Other", URL: "https://bridge.example.com/w" + token}
		if got := r.TokenOf(here); got != want {
			t.Errorf("%q: the token is %q, want %q", token, got, want)
		}
		if got := r.Find([]api.Webhook{named, other, here}); len(got) != 1 || got[0].ID != "3" {
			t.Errorf("%q: found %v", token, got)
		}
	}
	if got := r.Find([]api.Webhook{other, named}); len(got) != 1 || got[0].ID != "1" {
		t.Errorf("by its name: found %v", got)
	}
	if got := r.Find([]api.Webhook{other}); len(got) != 0 {
		t.Errorf("found %v", got)
	}
	if got := r.TokenOf(other); got != "" {
		t.Errorf("another's token is %q", got)
	}
}
