package strictyaml

import (
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// Locate finds the position in the file of the byte at offset of a scalar's value. If YAML
// has folded lines, it finds the word that starts there; if all fails, it returns the
// scalar's own position.
func (d *Decoder) Locate(n *yaml.Node, offset int) (line, column int) {
	offset = min(offset, len(n.Value))
	if n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		if line, column, ok := d.locateInBlock(n, offset); ok {
			return line, column
		}
	} else if column, ok := d.locateInLine(n, offset); ok {
		return n.Line, column
	}
	word, _, _ := strings.Cut(n.Value[offset:], "\n")
	word, _, _ = strings.Cut(word, " ")
	for line := n.Line; word != "" && line <= n.Line+strings.Count(n.Value, "\n")+20; line++ {
		source, from := d.line(line), 0
		if line == n.Line {
			from = byteOf(source, n.Column)
		}
		if at := strings.Index(source[from:], word); at >= 0 {
			return line, 1 + utf8.RuneCountInString(source[:from+at])
		}
	}
	return n.Line, n.Column
}

// locateInBlock reads the lines below a | as they are in the file. YAML joins those below a
// >, so there it succeeds for the first line only.
func (d *Decoder) locateInBlock(n *yaml.Node, offset int) (line, column int, ok bool) {
	before := n.Value[:offset]
	line = n.Line + 1 + strings.Count(before, "\n")
	start := strings.LastIndexByte(before, '\n') + 1
	content, _, _ := strings.Cut(n.Value[start:], "\n")
	source := d.line(line)
	indent := len(source) - len(content)
	if indent < 0 || source[indent:] != content || strings.Trim(source[:indent], " ") != "" {
		return 0, 0, false
	}
	return line, 1 + indent + utf8.RuneCountInString(content[:offset-start]), true
}

// locateInLine walks over a scalar on one line, including the escapes in its quotes.
func (d *Decoder) locateInLine(n *yaml.Node, offset int) (column int, ok bool) {
	source := d.line(n.Line)
	at := byteOf(source, n.Column)
	single, double := n.Style&yaml.SingleQuotedStyle != 0, n.Style&yaml.DoubleQuotedStyle != 0
	if single || double {
		at++
	}
	for i := 0; i < offset; {
		if at >= len(source) {
			return 0, false
		}
		_, size := utf8.DecodeRuneInString(n.Value[i:])
		switch raw := source[at:]; {
		case strings.HasPrefix(raw, n.Value[i:i+size]) && !(double && raw[0] == '\\'):
			at += size
			if single && raw[0] == '\'' {
				at++ // written twice
			}
		case double && raw[0] == '\\' && len(raw) > 1:
			at += 2 + map[byte]int{'x': 2, 'u': 4, 'U': 8}[raw[1]]
		default:
			return 0, false
		}
		i += size
	}
	if at > len(source) {
		return 0, false
	}
	return 1 + utf8.RuneCountInString(source[:at]), true
}

// byteOf returns the offset of a column, counted in characters from 1.
func byteOf(line string, column int) int {
	at := 0
	for ; column > 1 && at < len(line); column-- {
		_, size := utf8.DecodeRuneInString(line[at:])
		at += size
	}
	return at
}
