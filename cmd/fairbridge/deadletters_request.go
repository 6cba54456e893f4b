package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/spf13/cobra"

	"fairbridge/pkg/deadletter"
	"fairbridge/pkg/ledger"
	"fairbridge/pkg/mapping"
	"fairbridge/pkg/preview"
	"fairbridge/pkg/queue"
	"fairbridge/pkg/terminal"
)

// checkerHere is the checker of the fairbridge.yaml that the flag names, or that
// lies here. Without either it is nil: a bridge on AWS has its own.
func (d *desk) checkerHere(cmd *cobra.Command, config string) (*preview.Checker, error) {
	c, err := mapping.Load(config)
	if errors.Is(err, fs.ErrNotExist) && !cmd.Flags().Changed("config") {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if d.target.CentercodeBaseURL != "" {
		stack := *c
		stack.Centercode.BaseURL = d.target.CentercodeBaseURL
		c = &stack
	}
	return preview.New(preview.Config{Mapping: c})
}

// replayed is what a replay of a letter would send, by what the ledger knows.
func replayed(c *preview.Checker, l deadletter.Letter, e ledger.Entry) (checked, error) {
	result := checked{Payload: l.DeliveryID}
	state := e.Progress()
	switch {
	case e.State == ledger.Completed:
		result.Ignored = "it is done already, as ticket " + cmp.Or(e.TicketID, "of unknown id")
		return result, nil
	case state == ledger.Creating:
		result.Problems = append(result.Problems, "there may be a ticket already: say --as-created TICKET or --create-again")
	case e.Attaching != "":
		result.Problems = append(result.Problems, fmt.Sprintf("the ticket may have the file %s already: say --as-created TICKET or --create-again", e.Attaching))
	}
	envelope, err := queue.Decode(l.Body)
	if err != nil {
		result.Problems = append(result.Problems, err.Error())
		return result, nil
	}
	request, err := c.Map(envelope)
	if errors.Is(err, mapping.ErrIgnored) {
		result.Ignored = "its route ignores it"
		return result, nil
	}
	if err != nil {
		result.Problems = append(result.Problems, problemsOf(err)...)
		return result, nil
	}
	if err := requestOf(c, &result, request); err != nil {
		return result, err
	}
	if state == ledger.Created {
		// The ticket is there: only the files go that it lacks.
		result.Payload += fmt.Sprintf(" (ticket %s is made, what it lacks is sent)", cmp.Or(e.TicketID, "of unknown id"))
		result.Method, result.URL, result.Body, result.Warnings = "", "", nil, nil
		result.Attachments = ledger.Lacking(e, result.Attachments, func(f preview.File) string { return f.Element })
	}
	return result, nil
}

// show prints the requests that a replay would make.
func (r *replayCall) show(ctx context.Context, d *desk, cases []letterCase) error {
	if r.checker == nil {
		return fmt.Errorf("there is no %s here, which says what would be sent; name it with --config", r.config)
	}
	known, err := d.entries(ctx, deliveryIDs(cases))
	if err != nil {
		return err
	}
	for i, c := range cases {
		entry, _ := r.asSettled(known[c.DeliveryID])
		result, err := replayed(r.checker, c.Letter, entry)
		if err != nil {
			return err
		}
		if err := result.write(d.std.out, i > 0); err != nil {
			return err
		}
		r.left = r.left || len(result.Problems) > 0
	}
	_, err = fmt.Fprintf(d.std.out, "\n%s would be replayed\n", terminal.Count(len(cases), "dead letter"))
	return err
}
