package version

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestProduct checks the form of a User-Agent's product and comment.
func TestProduct(t *testing.T) {
	if got := Product(); !regexp.MustCompile(`^FairBridge/\d+\.\d+\.\d+(-[0-9a-z.]+)?( \([0-9a-z-]+\))?$`).MatchString(got) {
		t.Errorf("Product() = %q", got)
	}
}

// TestChangelogHasVersion checks that a new version comes with a changelog.
func TestChangelogHasVersion(t *testing.T) {
	text, err := os.ReadFile("../../CHANGELOG.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "\n## ["+Number+"]") {
		t.Errorf("CHANGELOG.md has no section [%s]", Number)
	}
}
