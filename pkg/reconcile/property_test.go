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

// chances is one run of the property test.
type chances struct {
	*world
	*rand.Rand
	forgetful bool
	submitted []*feedback
	// late holds the feedbacks whose webhooks are still to arrive.
	late []*feedback
}

// TestAnyOrder checks that no feedback becomes two tickets, and that each becomes one or is
// reported, as a dead letter or by reconcile: whichever webhooks are lost, late or
// duplicated, whatever testers repeat, and whenever reconcile runs or dies.
//
// FAIRBRIDGE_RECONCILE is the number of orders to try; the default is 60.
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
		c.submit()
	case 3, 4:
		c.now = c.now.Add(c.duration())
	case 5:
		c.arrive()
	case 6, 7:
		c.settle()
	default:
		c.reconcile()
	}
	for _, f := range c.submitted {
		if n := c.tickets(f); n > 1 {
			c.Fatalf("%s of session %q, %q, has %d tickets", f.id, f.session, f.text, n)
		}
	}
}

func (c *chances) duration() time.Duration {
	return []time.Duration{time.Minute, 20 * time.Minute, 2 * time.Hour, 15 * time.Hour}[c.IntN(4)]
}

// submit adds a feedback whose webhook arrives once, twice, late or never.
func (c *chances) submit() {
	session := []string{"2", "3", "4", ""}[c.IntN(4)]
	text := []string{"it crashes", "it is slow", "it crashes\r\nagain"}[c.IntN(3)]
	f := c.say(fmt.Sprint("f", len(c.submitted)), session, text, []string{"a@b.c", "D@e.f", ""}[c.IntN(3)])
	c.submitted = append(c.submitted, f)
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

// arrive delivers one of the late webhooks.
func (c *chances) arrive() {
	if len(c.late) == 0 {
		return
	}
	n := c.IntN(len(c.late))
	c.deliver(c.late[n])
	c.late = append(c.late[:n], c.late[n+1:]...)
}

var errFault = errors.New("a fault")

// fault makes some calls fail, before or after they are carried out.
func (c *chances) fault() (before, after error) {
	switch c.IntN(8) {
	case 0:
		return errFault, nil
	case 1:
		return nil, errFault
	}
	return nil, nil
}

// reconcile runs once, or two runs interleave: one looks, the other does all its work, and
// then the first sends. Meanwhile webhooks arrive and are processed, and calls fail.
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

// check checks the result against the promise.
func (c *chances) check(report *reconcile.Report) {
	state := states(report)
	for _, f := range c.submitted {
		e, came := c.entry(f)
		reported := came && e.State == ledger.Dead
		switch state[f.id] {
		case reconcile.Missing, reconcile.Recent, reconcile.Unknown, reconcile.Ambiguous, reconcile.Dead:
			reported = true
		}
		if n := c.tickets(f); n > 1 || n == 0 && !reported {
			c.Errorf("%s of session %q, %q, has %d tickets, is reported as %q, and its webhook arrived: %t, %s", f.id, f.session, f.text, n, state[f.id], came, e.State)
		}
	}
}
