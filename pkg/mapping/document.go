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

// document is the text of a Config.
type document struct {
	text    []byte
	root    *yaml.Node
	baseURL string // as in the text
}

// WithBaseURL returns a copy of the mapping for another Centercode than the file's: one
// from the environment, or a simulator. An error describes what is wrong with baseURL.
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

// Hash returns the SHA-256 (hex) of the mapping as it runs, including a base URL from the
// environment. It does not depend on comments, layout and aliases, but on the order of
// keys.
func (c *Config) Hash() string {
	sum := sha256.Sum256(canonical(c.effective()))
	return hex.EncodeToString(sum[:])
}

// Document returns the mapping as it runs, as a text that Parse accepts: it maps each event
// to the same request, and has the same Hash. It is the file's own text, line for line,
// with the base URL replaced; where that is not possible, it is an equivalent mapping on a
// single line.
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

// replaced returns the text with its base URL replaced in place.
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
	// Quotes around it are kept.
	lines[old.Line-1] = slices.Concat(line[:at], []byte(c.Centercode.BaseURL), line[at+len(old.Value):])
	return bytes.Join(lines, nil)
}

// appended returns the text with the base URL appended, if it has no centercode key.
func (c *Config) appended() []byte {
	return fmt.Appendf(bytes.Clone(c.document.text), "\ncentercode: {baseUrl: %s}\n", strconv.QuoteToASCII(c.Centercode.BaseURL))
}

// effective returns the root of the document with the base URL set.
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

// withEntry returns a copy of a mapping in which name has the value; if the value is an
// empty text, without the entry.
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

// canonical writes a node of a valid file so that nodes with the same meaning are equal: in
// YAML's flow style on one line, with strings in double quotes. Go's escapes are a subset
// of YAML's.
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
