package plural_test

import (
	"testing"

	"fairbridge/pkg/internal/plural"
)

func TestCount(t *testing.T) {
	for n, want := range map[int]string{0: "0 letters", 1: "1 letter", 2: "2 letters"} {
		if got := plural.Count(n, "letter"); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
