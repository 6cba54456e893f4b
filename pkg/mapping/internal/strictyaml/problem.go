package strictyaml

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/rivo/uniseg"

	"fairbridge/pkg/internal/printable"
)

// MaxProblems is how many problems a Decoder keeps: more of them usually have one cause,
// and a hundred lines of output help nobody.
const MaxProblems = 100

// Problem is one mistake in the file: its position, what is wrong, and how to fix it.
type Problem struct {
	File    string // the file's name, as the Decoder has it
	Line    int    // counted from 1
	Column  int    // in characters, counted from 1
	Width   int    // number of affected characters from Column on, at least 1
	Message string // what is wrong
	Hint    string // how to fix it; may be empty
	Source  string // the line of the file, without its line end
}

// Error returns the problem on one line: file:line:column: message; hint.
func (p Problem) Error() string {
	s := fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Column, p.Message)
	if p.Hint != "" {
		s += "; " + p.Hint
	}
	return s
}

// Render writes the problem with its line and a caret under what is meant:
//
//	fairbridge.yaml:12:5: unknown key "projct" in a route
//	   12 |     projct: DEMO
//	      |     ^~~~~~
//	      = did you mean "project"?
func (p Problem) Render(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s:%d:%d: %s\n", p.File, p.Line, p.Column, p.Message)
	number := fmt.Sprintf("%5d", p.Line)
	gutter := strings.Repeat(" ", len(number))
	before, meant, after := p.cut()
	fmt.Fprintf(&b, "%s | %s\n", number, before+meant+after)
	// A tab stays in the caret's line, so that both lines have the same indentation.
	indent := strings.Map(func(r rune) rune {
		if r == '\t' {
			return r
		}
		return ' '
	}, spaced(before))
	tail := max(uniseg.StringWidth(meant), 1) - 1
	fmt.Fprintf(&b, "%s | %s^%s\n", gutter, indent, strings.Repeat("~", tail))
	if p.Hint != "" {
		fmt.Fprintf(&b, "%s = %s\n", gutter, p.Hint)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// cut splits the source line into the part before the caret, the underlined part, and the
// rest. A long line is shortened.
func (p Problem) cut() (before, meant, after string) {
	const most = 60 // characters on each side of the caret
	line := []rune(shown(p.Source))
	from := min(max(p.Column-1, 0), len(line))
	to := min(from+max(p.Width, 1), len(line), from+most)
	before, meant, after = string(line[:from]), string(line[from:to]), string(line[to:])
	if from > most {
		before = "…" + string(line[from-most+1:from])
	}
	if len(line)-to > most {
		after = string(line[to:to+most-1]) + "…"
	}
	return before, meant, after
}

// shown replaces characters that a terminal acts on, rune by rune, so that the caret stays
// below the same column.
func shown(s string) string {
	return strings.Map(func(r rune) rune {
		if r != '\t' && !printable.Rune(r) || r == utf8.RuneError {
			return '?'
		}
		return r
	}, s)
}

// spaced replaces every character by as many spaces as it is wide, so that the caret is
// also right after wide characters.
func spaced(s string) string {
	var b strings.Builder
	for g := uniseg.NewGraphemes(s); g.Next(); {
		if g.Str() == "\t" {
			b.WriteByte('\t')
			continue
		}
		b.WriteString(strings.Repeat(" ", g.Width()))
	}
	return b.String()
}

// Problems is every mistake found in one pass, in the file's order. It is the error for an
// invalid file.
type Problems []Problem

// Error returns one line for each problem.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// Render writes each problem as Problem.Render does, separated by empty lines.
func (ps Problems) Render(w io.Writer) error {
	for i, p := range ps {
		if i > 0 {
			if _, err := io.WriteString(w, "\n"); err != nil {
				return err
			}
		}
		if err := p.Render(w); err != nil {
			return err
		}
	}
	return nil
}

// Sorted returns the problems in the file's order, without duplicates.
func (ps Problems) Sorted() Problems {
	slices.SortStableFunc(ps, func(a, b Problem) int {
		return cmp.Or(a.Line-b.Line, a.Column-b.Column)
	})
	return slices.Compact(ps)
}
