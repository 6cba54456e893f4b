package testfairy_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"fairbridge/pkg/testfairy"
)

func TestFieldNames(t *testing.T) {
	many := make([]string, 60)
	for i := range many {
		many[i] = fmt.Sprintf(`"f%d":{"x":[1]}`, i)
	}
	for body, want := range map[string][]string{
		`{"event":"feedback","text":{"a":1},"n":[{"b":2}]}`: {"event", "text", "n"},
		"\uFEFF" + `{"event":"x"}`:                          {"event"},
		`{"event":"x","text":"cut o`:                        {"event", "text"},
		`{"event":"x","te`:                                  {"event"},
		`{"event":nil,"text":1}`:                            {"event"},
		`{"event":"x","a":` + strings.Repeat("[", 200):      {"event", "a"},
		`{` + strings.Join(many, ",") + `}`:                 nil, // the first 50, below
		`{"` + strings.Repeat("é", 40) + `":1}`:             {strings.Repeat("é", 32)},
		`[{"event":"x"}]`:                                   nil,
		`{}`:                                                nil,
		``:                                                  nil,
		`event=feedback`:                                    nil,
	} {
		got := testfairy.FieldNames([]byte(body))
		if strings.HasPrefix(body, `{"f0"`) {
			if len(got) != 50 || got[49] != "f49" {
				t.Errorf("%d names, the last %q", len(got), got[len(got)-1])
			}
			continue
		}
		if !slices.Equal(got, want) {
			t.Errorf("FieldNames(%.60q) = %q, want %q", body, got, want)
		}
	}
}
