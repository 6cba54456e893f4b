package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	centercodesim "fairbridge/pkg/centercode/simulator"
	"fairbridge/pkg/deadletter"
	"fairbridge/pkg/ledger"
)

// checker compares everything that was stored anywhere with the promise.
type checker struct {
	plan   *plan
	far    *farEnd
	ledger *ledger.Ledger
	report *report
	// sums are the checksums of the sources' files, by path.
	sums map[string]string
}

// check is for a time at which nothing is being processed: each delivery must be one
// complete ticket, or a dead letter that names its reason.
func (c *checker) check(ctx context.Context, cases []deadletter.Case) error {
	dead := map[string]deadletter.Case{}
	for _, l := range cases {
		dead[l.DeliveryID] = l
	}
	tickets := ticketsByDelivery(c.far.center)
	lost, twice := 0, 0
	for _, d := range c.plan.deliveries {
		e, err := c.ledger.Entry(ctx, d.id)
		if err != nil && !errors.Is(err, ledger.ErrNotFound) {
			return err
		}
		letter, isDead := dead[d.id]
		whole := c.tickets(d, tickets[d.id], &twice)
		switch {
		case isDead:
			c.explained(letter, e)
		case !whole:
			lost++
			c.report.violate("delivery %s is lost: %d tickets, no dead letter, the ledger has %s", d.id, len(tickets[d.id]), shown(e))
		case e.State != ledger.Completed:
			c.report.violate("delivery %s has its ticket, no dead letter, and the ledger has %s", d.id, shown(e))
		}
		if e.HeldAt(time.Now().Add(ledger.Lease)) {
			c.report.violate("a lease does not end: %s", shown(e))
		}
		delete(tickets, d.id)
	}
	for id := range tickets {
		c.report.violate("there are tickets of a delivery %q that nobody sent", id)
	}
	c.report.Lost, c.report.Twice = max(c.report.Lost, lost), max(c.report.Twice, twice)
	return nil
}

// tickets reports whether a delivery has its ticket with all its files, and counts
// duplicates.
func (c *checker) tickets(d delivery, tickets []centercodesim.Ticket, twice *int) (whole bool) {
	if len(tickets) > 1 {
		*twice++
		c.report.violate("delivery %s has %d tickets", d.id, len(tickets))
	}
	for _, t := range tickets {
		if t.Fields["summary"] != d.text {
			c.report.violate("ticket %s has another text than its delivery %s", t.ID, d.id)
		}
		seen := map[string]bool{}
		for _, f := range t.Files {
			if seen[f.Element] {
				*twice++
				c.report.violate("ticket %s of delivery %s has its %s twice", t.ID, d.id, f.Element)
			}
			seen[f.Element] = true
			if f.SHA256 != c.sum(d.sources[f.Element]) {
				c.report.violate("ticket %s of delivery %s: its %s is not the source's", t.ID, d.id, f.Element)
			}
		}
		whole = whole || len(seen) == len(d.sources)
	}
	return whole
}

// sum returns the SHA-256 of a source's file. It is kept, since making a picture takes a
// while.
func (c *checker) sum(path string) string {
	if _, known := c.sums[path]; !known {
		c.sums[path] = c.far.source.SHA256(path)
	}
	return c.sums[path]
}

// explained checks that a dead letter names its reason.
func (c *checker) explained(l deadletter.Case, e ledger.Entry) {
	c.report.DeadLetters[string(l.Reason)]++
	c.report.Copies += len(l.Copies)
	switch {
	case l.Moved() && (e.Last == nil || e.Last.Text == ""):
		c.report.violate("nobody knows why the queue gave delivery %s up: the ledger has %s", l.DeliveryID, shown(e))
	case !l.Moved() && (l.Stage == "" || l.Description == ""):
		c.report.violate("a dead letter does not say why: %+v", l.DeadLetter)
	}
	if text := fmt.Sprintf("%+v", l.DeadLetter); strings.Contains(text, firstKey) || strings.Contains(text, secondKey) {
		c.report.violate("the dead letter of %s shows the API key", l.DeliveryID)
	}
}

func shown(e ledger.Entry) string {
	b, err := json.Marshal(e)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// count is for the end. It adds up the attempts, and looks for leftover leases, entries
// without a delivery, and secrets.
func (c *checker) count(records []ledger.Record) {
	if len(records) != len(c.plan.deliveries) {
		c.report.violate("the ledger has %d entries for %d deliveries", len(records), len(c.plan.deliveries))
	}
	for _, r := range records {
		if doc := string(r.Doc); strings.Contains(doc, firstKey) || strings.Contains(doc, secondKey) {
			c.report.violate("the ledger shows the API key: %s", doc)
		}
		e, err := ledger.Read(r)
		if err != nil {
			c.report.violate("the ledger's entry of %s cannot be read: %v", r.ID, err)
			continue
		}
		if e.Owner != "" {
			c.report.violate("a lease is left: %s", shown(e))
		}
		c.report.Attempts += e.Attempts
		c.report.MostAttempts = max(c.report.MostAttempts, e.Attempts)
	}
}
