package deadletter

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"fairbridge/pkg/ledger"
	"fairbridge/pkg/mapping"
	"fairbridge/pkg/preview"
	"fairbridge/pkg/queue"
)

// Request is what a replay of a dead letter would send. Its remarks are complete sentences.
type Request struct {
	Payload     string          `json:"payload"`
	Mapping     string          `json:"mapping,omitempty"` // the mapping in use, described
	Route       int             `json:"route,omitempty"`   // counted from 1
	Method      string          `json:"method,omitempty"`
	URL         string          `json:"url,omitempty"`
	Body        json.RawMessage `json:"body,omitempty"`
	Attachments []preview.File  `json:"attachments,omitempty"`
	Warnings    []string        `json:"warnings,omitempty"`
	Ignored     string          `json:"ignored,omitempty"`
	Problems    []string        `json:"problems,omitempty"`
}

// Preview returns what a replay of a letter would send, given its ledger entry.
func Preview(c *preview.Checker, l Letter, e ledger.Entry) Request {
	result := Request{Payload: l.DeliveryID, Mapping: c.By}
	state := e.Progress()
	switch {
	case e.State == ledger.Completed:
		result.Ignored = "it is done already, as ticket " + cmp.Or(e.TicketID, "of unknown id")
		return result
	case state == ledger.Creating:
		result.Problems = append(result.Problems, "there may be a ticket already: use --as-created TICKET or --create-again")
	case e.Twin != "":
		result.Problems = append(result.Problems, "reconcile has sent delivery "+e.Twin+", which may be the same feedback: drop this one, or use --create-again")
	case e.Attaching != "":
		result.Problems = append(result.Problems, fmt.Sprintf("the ticket may have the file %s already: use --as-created TICKET or --create-again", e.Attaching))
	}
	envelope, err := queue.Decode(l.Body)
	if err != nil {
		result.Problems = append(result.Problems, err.Error())
		return result
	}
	request, err := c.Map(envelope)
	if errors.Is(err, mapping.ErrIgnored) {
		result.Ignored = "its route ignores it"
		return result
	}
	if err != nil {
		for _, e := range preview.Each(err) {
			result.Problems = append(result.Problems, e.Error())
		}
		return result
	}
	p := c.Request(request)
	result.Route, result.Method, result.URL, result.Body, result.Attachments = p.Route, p.Method, p.URL, p.Body, p.Attachments
	for _, w := range p.Warnings {
		result.Warnings = append(result.Warnings, w.Text(""))
	}
	for _, problem := range p.Problems {
		result.Problems = append(result.Problems, problem.Text(""))
	}
	if state == ledger.Created {
		// The ticket exists: only the missing files are sent.
		result.Payload += fmt.Sprintf(" (ticket %s exists, what it lacks is sent)", cmp.Or(e.TicketID, "of unknown id"))
		result.Method, result.URL, result.Body, result.Warnings = "", "", nil, nil
		result.Attachments = ledger.Lacking(e, result.Attachments, func(f preview.File) string { return f.Element })
	}
	return result
}

// DryRun returns the requests that a replay would send, with the mapping of the options'
// Checker. Nothing is sent, settled or recorded, and no letter is received.
func (d *Manager) DryRun(ctx context.Context, o ReplayOptions) ([]Request, error) {
	if o.Checker == nil {
		return nil, errors.New("a dry run needs a mapping")
	}
	r := &replaying{Manager: d, ReplayOptions: o}
	in, err := d.Look(ctx, Query{Filter: o.Filter, Bodies: true})
	if err != nil {
		return nil, err
	}
	cases, err := r.toGo(ctx, in)
	if err != nil {
		return nil, err
	}
	known, err := d.entries(ctx, deliveryIDs(cases))
	if err != nil {
		return nil, err
	}
	requests := make([]Request, len(cases))
	for i, c := range cases {
		entry, found := known[c.DeliveryID]
		if err := o.Settlement.check(c.DeliveryID, entry, found, d.now()); err != nil {
			return nil, err
		}
		entry, _ = o.Settlement.apply(entry, d.now())
		requests[i] = Preview(o.Checker, c.Letter, entry)
	}
	return requests, nil
}
