package report

import (
	"bytes"
	"fmt"
	"io"
	"time"

	"fairbridge/pkg/preview"
	"fairbridge/pkg/terminal"
)

// WriteSent writes what was sent of a delivery, field by field, and where to; nothing if s
// is nil.
func WriteSent(out io.Writer, s *preview.Sent) error {
	if s == nil {
		return nil
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "\nWhat was sent at %s, by the mapping %.12s:\n  %s %s\n", s.At.Format(time.RFC3339), s.Mapping, s.Method, terminal.Printable(s.URL))
	widest := 0
	for _, f := range s.Fields {
		widest = max(widest, min(terminal.Width(terminal.Printable(f.Name)), 24))
	}
	for _, f := range s.Fields {
		fmt.Fprintf(&b, "    %s  %s\n", terminal.Pad(terminal.Printable(f.Name), widest), terminal.JSON(f.Value))
	}
	for _, f := range s.Files {
		fmt.Fprintf(&b, "    file %s from %s\n", terminal.Printable(f.Element), terminal.Printable(f.URL))
	}
	_, err := out.Write(b.Bytes())
	return err
}
