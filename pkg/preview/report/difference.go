package report

import (
	"bytes"
	"fmt"

	"fairbridge/pkg/preview"
	"fairbridge/pkg/terminal"
)

// writeDifferences writes the comparison, and problems that the new file has in any case.
func (r Check) writeDifferences(b *bytes.Buffer, whole bool) {
	for _, p := range r.Payloads {
		if !p.Changed() && len(p.Problems)+len(p.Warnings) == 0 {
			continue
		}
		fmt.Fprintf(b, "%s\n", terminal.Printable(p.Payload))
		if p.Changed() {
			writeDifference(b, p, r.Old, r.Config, whole)
		}
		writeRemarks(b, p, r.Config)
		b.WriteByte('\n')
	}
	_, _, changes := r.Counts()
	change, stay := "change", "stay as they are"
	if changes == 1 {
		change = "changes"
	}
	if len(r.Payloads)-changes == 1 {
		stay = "stays as it is"
	}
	fmt.Fprintf(b, "%s: %d %s, %d %s%s\n", terminal.Count(len(r.Payloads), "payload"), changes, change, len(r.Payloads)-changes, stay, r.remarkCount())
}

func writeDifference(b *bytes.Buffer, r preview.Preview, old, config string, whole bool) {
	if r.Line > 0 && r.OldLine > 0 {
		fmt.Fprintf(b, "  route %s:%d -> %s:%d\n", terminal.Printable(old), r.OldLine, terminal.Printable(config), r.Line)
	}
	for _, c := range r.Changes {
		if c.Key == preview.KeyProblems && c.New != nil {
			continue // they are reported as problems
		}
		fmt.Fprintf(b, "  %s\n", terminal.Printable(c.Key))
		before, after := string(terminal.JSON(c.Old)), string(terminal.JSON(c.New))
		if !whole {
			before, after = around(before, after)
		}
		if c.Old != nil {
			fmt.Fprintf(b, "    - %s\n", before)
		}
		if c.New != nil {
			fmt.Fprintf(b, "    + %s\n", after)
		}
	}
}

// around shortens two long texts to where they begin to differ.
func around(a, b string) (string, string) {
	const most, lead = 200, 40 // characters, in all and before the difference
	ar, br := []rune(a), []rune(b)
	same := 0
	for same < len(ar) && same < len(br) && ar[same] == br[same] {
		same++
	}
	from := max(0, same-lead)
	if max(len(ar), len(br)) <= most {
		from = 0
	}
	cut := func(text []rune) string {
		start, end := min(from, len(text)), min(from+most, len(text))
		s := string(text[start:end])
		if start > 0 {
			s = "…" + s
		}
		if end < len(text) {
			s += "…"
		}
		return s
	}
	return cut(ar), cut(br)
}
