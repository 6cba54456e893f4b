package address_test

import (
	"testing"

	"fairbridge/pkg/internal/address"
)

func TestIn(t *testing.T) {
	const ann = "ann@example.com"
	for text, want := range map[string]bool{
		ann: true, "Ann@Example.COM": true, "  ann@example.com\n": true, "Ann <ann@example.com>": true,
		"mailto:ann@example.com": true, "bob@example.com, ann@example.com.": true, "'ann@example.com'": true, "(ann@example.com)": true,
		"": false, "ann": false, "joann@example.com": false, "ann@example.com.au": false, "ann+x@example.com": false, "bob@example.com": false,
	} {
		if got := address.In(text, ann); got != want {
			t.Errorf("%q: %t", text, got)
		}
	}
	if !address.In("JÖRG@example.com", "jörg@example.com") {
		t.Error("upper and lower case differ outside of ASCII")
	}
}

func TestValid(t *testing.T) {
	for text, want := range map[string]bool{
		"ann@example.com": true, "jörg+x@example.com": true, "@": false, "ann@": false, "@b": false, "ann": false, "": false,
		"Ann <ann@example.com>": false, "ann@example.com bob@example.com": false, ".ann@example.com": false,
	} {
		if got := address.Valid(text); got != want {
			t.Errorf("%q: %t", text, got)
		}
	}
}
