package deadletter

import (
	"bytes"
	"context"
	"errors"
	"sync"

	"golang.org/x/sync/errgroup"

	"fairbridge/pkg/ledger"
	"fairbridge/pkg/queue"
)

// Adopted is what became of an adoption: how many letters the ledger knows now,
// and how many were removed, as copies of others or since nothing is left to do.
type Adopted struct{ Letters, Removed int }

// Adopt has the ledger know of every letter in the dead-letter queue: those that SQS
// moved, and those that an earlier version wrote. Copies go, and so do letters of
// deliveries that are completed or dropped; all others stay in their place. What a
// worker has in hand is left alone: stays is told, and why.
func (d *Desk) Adopt(ctx context.Context, stays func(Letter, error)) (result Adopted, err error) {
	hold := d.queue.Open(ctx)
	defer func() { err = errors.Join(err, hold.Release(ctx)) }()
	newest := map[string]Letter{} // without their bodies, by delivery
	for more := true; more; {
		var mu sync.Mutex
		var letters []Letter
		if more, err = hold.Take(ctx, atOnce, func(l Letter) {
			mu.Lock()
			defer mu.Unlock()
			letters = append(letters, l)
		}); err != nil {
			return result, err
		}
		cases := Cases(letters)
		var useless []Case
		for i := range cases {
			c := &cases[i]
			if before, seen := newest[c.DeliveryID]; seen {
				c.Copies = append(c.Copies, before)
				if !newer(c.Letter, before) {
					c.Copies[len(c.Copies)-1], c.Letter = c.Letter, before
				}
			}
			for _, l := range c.Copies {
				useless = append(useless, Case{Letter: l})
			}
			l := c.Letter
			l.Body = ""
			newest[c.DeliveryID] = l
		}
		useless = append(useless, d.adopt(ctx, cases, &result, stays)...)
		hold.Remove(context.WithoutCancel(ctx), useless, func(c Case, err error) {
			if err != nil {
				stays(c.Letter, err)
				return
			}
			result.Removed++
		})
	}
	return result, nil
}

// adopt returns the cases that are of no use.
func (d *Desk) adopt(ctx context.Context, cases []Case, result *Adopted, stays func(Letter, error)) (useless []Case) {
	var mu sync.Mutex
	var group errgroup.Group
	group.SetLimit(lookups)
	for _, c := range cases {
		if c.Body == "" {
			continue // adopted before its copy was seen
		}
		group.Go(func() error {
			err := d.adoptOne(ctx, c.Letter)
			var done *ledger.DoneError
			mu.Lock()
			defer mu.Unlock()
			switch {
			case errors.As(err, &done):
				c.Copies = nil
				useless = append(useless, c)
			case err != nil:
				stays(c.Letter, err)
			default:
				result.Letters++
			}
			return nil
		})
	}
	_ = group.Wait() // each reports for itself
	return useless
}

func (d *Desk) adoptOne(ctx context.Context, l Letter) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	var kept bytes.Buffer
	if err := (queue.Line{DeadLetter: l.DeadLetter, SentAt: l.SentAt, Body: l.Body}).Write(&kept); err != nil {
		return err
	}
	text := l.Description
	if text == "" {
		text = "the queue moved its message after too many receives"
	}
	return d.ledger.Adopt(ctx, l.DeliveryID, l.Generation, ledger.Fault{
		Reason: string(l.Reason), Stage: string(l.Stage), Status: l.Status, Text: text, At: l.DiedAt(),
	}, kept.Bytes())
}
