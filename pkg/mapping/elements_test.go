package mapping_test

import (
	"slices"
	"testing"

	"fairbridge/pkg/mapping"
)

func TestFileElements(t *testing.T) {
	c, err := mapping.Parse("a.yaml", []byte(`defaults: {project: P, source: s, fields: {a: b}, attachments: [{from: "x", element: picture}]}
routes:
  - {match: {event: feedback}}
  - {match: {event: crash}, attachments: [{from: "x", element: log}, {from: "y", element: log}]}
`))
	if err != nil {
		t.Fatal(err)
	}
	if got := c.FileElements(); !slices.Equal(got, []string{"log", "picture"}) {
		t.Errorf("elements %v", got)
	}
}
