package reconcile_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"fairbridge/pkg/ledger"
	"fairbridge/pkg/reconcile"
)

// chances are a run of the property test.
type chances struct {
	*world
	*rand.Rand
	forgetful bool
	said      []*feedback
	// late are the webhooks that are still on their way.
	late []*feedback
}

// TestAnyOrder: whichever webhooks are lost, late or doubled, whatever testers say
// twice, and whenever reconcile runs or dies, no feedback has two tickets, and each
// has one or is told: as a dead letter, or by reconcile.
//
// FAIRBRIDGE_RECONCILE is how many orders are tried; the default is 60.
func TestAnyOrder(t *testing.T) {
	orders, err := strconv.Atoi(os.Getenv("FAIRBRIDGE_RECONCILE"))
	if err != nil {
		orders = 60
	}
	made := 0
	for seed := range orders {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			c := &chances{forgetful: seed%5 == 4, Rand: rand.New(rand.NewPCG(uint64(seed), 19))}
			c.world = begun(t, c.forgetful)
			for range 30 {
				c.step()
			}
			for len(c.late) > 0 {
				c.arrive()
			}
			c.settle()
			c.now = c.now.Add(48 * time.Hour)
			c.settle()
			c.check(c.look())
			made += len(c.center.Tickets())
		})
	}
	t.Logf("%d tickets", made)
}

func (c *chances) step() {
	switch c.IntN(10) {
	case 0, 1, 2:
		c.speak()
	case 3, 4:
		c.now = c.now.Add(c.duration())
	case 5:
		c.arrive()
	case 6, 7:
		c.settle()
	default:
		c.reconcile()
	}
	for _, f := range c.said {
		if n := c.tickets(f); n > 1 {
			c.Fatalf("%s of session %q, %q, has %d tickets", f.id, f.session, f.text, n)
		}
	}
}

func (c *chances) duration() time.Duration {
	return []time.Duration{time.Minute, 20 * time.Minute, 2 * time.Hour, 15 * time.Hour}[c.IntN(4)]
}

// speak has a tester say something, and the webhook come once, twice, late or never.
func (c *chances) speak() {
	session := []string{"2", "3", "4", ""}[c.IntN(4)]
	text := []string{"it crashes", "it is slow", "it crashes\r\nagain"}[c.IntN(3)]
	f := c.say(fmt.Sprint("f", len(c.said)), session, text, []string{"a@b.c", "D@e.f", ""}[c.IntN(3)])
	c.said = append(c.said, f)
	switch c.IntN(6) {
	case 0, 1:
		c.deliver(f)
	case 2:
		c.deliver(f)
		c.late = append(c.late, f)
	case 3:
		c.late = append(c.late, f)
	}
	c.now = c.now.Add(time.Duration(c.IntN(120)) * time.Second)
}

// arrive has a late webhook come.
func (c *chances) arrive() {
	if len(c.late) == 0 {
		return
	}
	n := c.IntN(len(c.late))
	c.deliver(c.late[n])
	c.late = append(c.late[:n], c.late[n+1:]...)
}

var errFault = errors.New("a fault")

// fault fails a call before or after it is made, now and then.
func (c *chances) fault() (before, after error) {
	switch c.IntN(8) {
	case 0:
		return errFault, nil
	case 1:
		return nil, errFault
	}
	return nil, nil
}

// reconcile runs once, or two runs side by side: one looks, then the other does all
// its work, then the first sends. Webhooks come and are worked on meanwhile, and
// calls fail.
func (c *chances) reconcile() {
	c.sending = func([]byte) (before, after error) {
		if c.IntN(3) == 0 {
			c.arrive()
		}
		if c.IntN(3) == 0 {
			c.settle()
		}
		return c.fault()
	}
	c.storing = c.fault
	defer func() { c.sending, c.storing = nil, nil }()
	backfill := !c.forgetful && c.IntN(8) == 0
	r := c.reconciler()
	report, err := r.Look(c.Context())
	c.must(err)
	if c.IntN(3) == 0 {
		c.arrive()
		c.settle()
	}
	if c.IntN(4) == 0 {
		if _, err := c.send(backfill); err != nil && !errors.Is(err, errFault) {
			c.Fatal(err)
		}
	}
	err = r.Send(c.Context(), report, time.Time{}, backfill, func(*reconcile.Item) {})
	if err != nil && !errors.Is(err, errFault) {
		c.Fatal(err)
	}
}

// check holds what came of it all against the promise.
func (c *chances) check(report *reconcile.Report) {
	state := states(report)
	for _, f := range c.said {
		e, came := c.entry(f)
		told := came && e.State == ledger.Dead
		switch state[f.id] {
		case reconcile.Missing, reconcile.Recent, reconcile.Unknown, reconcile.Ambiguous, reconcile.Dead:
			told = true
		}
		if n := c.tickets(f); n > 1 || n == 0 && !told {
			c.Errorf("%s of session %q, %q, has %d tickets, is told as %q, and its webhook came: %t, %s", f.id, f.session, f.text, n, state[f.id], came, e.State)
		}
	}
}
