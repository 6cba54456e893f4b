package mapping

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"fairbridge/pkg/mapping/internal/strictyaml"
)

// document is what a Config was read from.
type document struct {
	text    []byte
	root    *yaml.Node
	baseURL string // as the text has it
}

// WithBaseURL returns a copy of the mapping that sends to another Centercode
// than the file names: the environment's word, or a simulator. The error says
// what is wrong with baseURL.
func (c *Config) WithBaseURL(baseURL string) (*Config, error) {
	var d strictyaml.Decoder
	u, ok := baseURLKind.Read(&d, textNode(baseURL))
	if !ok {
		p := d.Problems()[0]
		return nil, fmt.Errorf("%s; %s", p.Message, p.Hint)
	}
	other := *c
	other.Centercode.BaseURL = u
	return &other, nil
}

// Hash returns the SHA-256 (hex) of the mapping as it runs, with the base URL
// that the environment may have put in. Comments, layout and aliases make no
// difference to it; the order of keys does.
func (c *Config) Hash() string {
	sum := sha256.Sum256(canonical(c.effective()))
	return hex.EncodeToString(sum[:])
}

// Document returns the mapping as it runs, as a text that Parse takes: it maps
// each event to the same request, and has the same Hash. It is the file's own
// text, line for line, with the base URL in place; where that cannot be put in,
// it is the same mapping on a single line.
func (c *Config) Document() []byte {
	text := c.document.text
	if c.Centercode.BaseURL == c.document.baseURL {
		return bytes.Clone(text)
	}
	whole := canonical(c.effective())
	for _, edited := range [][]byte{c.replaced(), c.appended()} {
		if other, err := Parse("", edited); err == nil && bytes.Equal(canonical(other.document.root), whole) {
			return edited
		}
	}
	return whole
}

// replaced is the text with its base URL replaced where it stands.
func (c *Config) replaced() []byte {
	site := strictyaml.ValueOf(c.document.root, "centercode")
	if site.Kind == yaml.AliasNode {
		site = site.Alias
	}
	old := strictyaml.ValueOf(site, "baseUrl")
	lines := bytes.SplitAfter(c.document.text, []byte{'\n'})
	if old == site || old.Line < 1 || old.Line > len(lines) {
		return nil
	}
	line := lines[old.Line-1]
	at := bytes.LastIndex(line, []byte(old.Value))
	if at < 0 {
		return nil
	}
	// Quotes around it, if there are any, stay.
	lines[old.Line-1] = slices.Concat(line[:at], []byte(c.Centercode.BaseURL), line[at+len(old.Value):])
	return bytes.Join(lines, nil)
}

// appended is the text with the base URL behind it, for one that says nothing of
// Centercode.
func (c *Config) appended() []byte {
	return fmt.Appendf(bytes.Clone(c.document.text), "\ncentercode: {baseUrl: %s}\n", strconv.QuoteToASCII(c.Centercode.BaseURL))
}

// effective is the root of the document with the base URL put in.
func (c *Config) effective() *yaml.Node {
	root := c.document.root
	if root == nil || c.Centercode.BaseURL == c.document.baseURL {
		return root
	}
	site := strictyaml.ValueOf(root, "centercode")
	switch {
	case site == root:
		site = &yaml.Node{Kind: yaml.MappingNode}
	case site.Kind == yaml.AliasNode:
		site = site.Alias
	}
	return withEntry(root, "centercode", withEntry(site, "baseUrl", textNode(c.Centercode.BaseURL)))
}

// withEntry returns a copy of a mapping in which name has the value; with an
// empty text, one without the entry.
func withEntry(n *yaml.Node, name string, value *yaml.Node) *yaml.Node {
	entry := []*yaml.Node{textNode(name), value}
	if value.Kind == yaml.ScalarNode && value.Value == "" {
		entry = nil
	}
	other := *n
	at := 0
	for at < len(n.Content) && n.Content[at].Value != name {
		at += 2
	}
	other.Content = slices.Concat(n.Content[:at], entry, n.Content[min(at+2, len(n.Content)):])
	return &other
}

func textNode(s string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s}
}

// canonical writes a node of a file that Parse takes, so that two that mean the
// same are written alike: in YAML's flow style on one line, texts in double
// quotes. Go's escapes are a part of YAML's.
func canonical(n *yaml.Node) []byte {
	var b bytes.Buffer
	var write func(n *yaml.Node)
	write = func(n *yaml.Node) {
		switch n.Kind {
		case yaml.AliasNode:
			write(n.Alias)
		case yaml.MappingNode:
			b.WriteByte('{')
			for i := 0; i+1 < len(n.Content); i += 2 {
				if i > 0 {
					b.WriteString(", ")
				}
				key := n.Content[i]
				if key.Kind == yaml.AliasNode {
					key = key.Alias
				}
				b.WriteString(strconv.QuoteToASCII(key.Value) + ": ")
				write(n.Content[i+1])
			}
			b.WriteByte('}')
		case yaml.SequenceNode:
			b.WriteByte('[')
			for i, element := range n.Content {
				if i > 0 {
					b.WriteString(", ")
				}
				write(element)
			}
			b.WriteByte(']')
		default:
			switch n.ShortTag() {
			case "!!bool":
				b.WriteString(strings.ToLower(n.Value))
			case "!!int", "!!float":
				b.WriteString(n.Value)
			default:
				b.WriteString(strconv.QuoteToASCII(n.Value))
			}
		}
	}
	if n != nil {
		write(n)
	}
	return b.Bytes()
}
