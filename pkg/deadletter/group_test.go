package deadletter_test

import (
	"slices"
	"testing"

	"fairbridge/pkg/deadletter"
	"fairbridge/pkg/ledger"
)

// TestAGroupIsSelected checks that a group's key selects its letters and no others, for
// viewing and for replay, whatever they share with another group.
func TestAGroupIsSelected(t *testing.T) {
	inBothHomes(t, func(t *testing.T, o *fixture) {
		die := func(n int, project string, change func(*deadletter.Letter)) {
			l := rejected(t, n)
			change(&l)
			c := o.claim(l.DeliveryID)
			if project != "" {
				o.must(c.Creating(t.Context(), ledger.Where{Project: project, Source: "testfairy"}))
			}
			o.keep(c, l, false)
		}
		same := func(*deadletter.Letter) {}
		die(1, "A", same)
		die(2, "A", func(l *deadletter.Letter) { l.Description = `of "somebody"` })
		die(3, "A", func(l *deadletter.Letter) { l.Description = `of "somebody else"` })
		die(4, "B", same)
		die(5, "", same)
		die(6, "A", func(l *deadletter.Letter) { l.Status = 422 })
		die(7, "A", func(l *deadletter.Letter) { l.Stage = "attach" })
		die(8, "A", func(l *deadletter.Letter) { l.Reason = "not_found" })
		die(9, "A", same)
		all, err := o.Look(t.Context(), deadletter.Query{Entries: true})
		o.must(err)
		groups := deadletter.Groups(all.Cases)
		if len(groups) != 7 {
			t.Fatalf("got %d groups: %+v", len(groups), groups)
		}
		for _, g := range groups {
			f, err := deadletter.Words{Group: g.Key}.Filter(died)
			o.must(err)
			looked, selected := o.looked(f)
			if !slices.Equal(looked, g.IDs) || !slices.Equal(selected, g.IDs) {
				t.Errorf("group %+v: listed %v, selected %v", g, looked, selected)
			}
		}
	})
	for _, bad := range []string{"x", "0123456789AB", "0123456789abc"} {
		if _, err := (deadletter.Words{Group: bad}).Filter(died); err == nil {
			t.Errorf("%q is accepted as a group", bad)
		}
	}
}
