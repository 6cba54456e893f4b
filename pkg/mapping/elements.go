package mapping

import (
	"maps"
	"slices"
)

// FileElements returns the file elements that the routes have attachments for, sorted. A
// simulated Centercode needs them.
func (c *Config) FileElements() []string {
	elements := map[string]bool{}
	for _, r := range c.Routes {
		for _, f := range r.attachments {
			elements[f.element] = true
		}
	}
	return slices.Sorted(maps.Keys(elements))
}
