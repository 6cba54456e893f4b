package report

import (
	"strings"
	"testing"
)

// TestTableIsNarrow checks that on a narrow terminal each row is one line, and shows what
// the feedback was about.
func TestTableIsNarrow(t *testing.T) {
	for _, width := range []int{60, 80, 100, 200} {
		var b strings.Builder
		table := Table{Out: &b, Width: width}
		if err := table.row(strings.Repeat("a", 12), "2026-01-02 03:04:05", "attachment_source", "BUG-17", strings.Repeat("x", 99), strings.Repeat("y", 99), strings.Repeat("z", 99)); err != nil {
			t.Fatal(err)
		}
		if line := strings.TrimRight(b.String(), "\n"); len([]rune(line)) > max(width, 65) || !strings.HasPrefix(line, "aaaaaaaaaaaa  ") {
			t.Errorf("%d columns: %q", width, line)
		} else if width >= 80 && !strings.Contains(line, strings.Repeat("z", 20)) {
			t.Errorf("%d columns, without its text: %q", width, line)
		}
	}
}
