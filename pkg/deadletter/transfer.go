package deadletter

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"fairbridge/pkg/ledger"
	"fairbridge/pkg/queue"
)

// maxLine bounds the length of a line: a message of 1 MiB can need six times that as JSON.
const maxLine = 8 << 20

// WriteLetter writes a letter as one line of JSON, with everything that [ReadLetters] needs
// to restore it.
func WriteLetter(w io.Writer, l Letter) error {
	line := l.line()
	if l.Entry != nil {
		entry, err := json.Marshal(l.Entry)
		if err != nil {
			return fmt.Errorf("write what the ledger has of delivery %s: %w", l.DeliveryID, err)
		}
		line.Entry = entry
	}
	return line.Write(w)
}

// Export adds the ledger's entries to letters. Letters of deliveries that a worker holds
// are returned separately, since it is unknown what will become of them.
func (d *Manager) Export(ctx context.Context, cases []Case) (whole, held []Case, err error) {
	known, err := d.entries(ctx, deliveryIDs(cases))
	if err != nil {
		return nil, nil, err
	}
	for _, c := range cases {
		e, ok := known[c.DeliveryID]
		switch {
		case ok && e.HeldAt(d.now()):
			held = append(held, c)
			continue
		case ok:
			c.Entry = &e
		}
		whole = append(whole, c)
	}
	return whole, held, nil
}

// ReadLetters reads what WriteLetter wrote. An error names the first invalid line and
// quotes nothing, since a line contains what testers wrote.
func ReadLetters(r io.Reader) ([]Letter, error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	var letters []Letter
	n := 0
	for lines.Scan() {
		n++
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		l, err := readLetter(lines.Bytes())
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		letters = append(letters, l)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("line %d: %w", n+1, err)
	}
	return letters, nil
}

func readLetter(line []byte) (Letter, error) {
	var e queue.Line
	if err := json.Unmarshal(line, &e); err != nil {
		return Letter{}, fmt.Errorf("not a dead letter: %s", queue.JSONFault(err))
	}
	l := Letter{DeadLetter: e.DeadLetter, SentAt: e.SentAt, Body: e.Body}
	if l.Reason == queue.ReasonRetriesExhausted && l.FailedAt.IsZero() {
		l.Reason = queue.ReasonWorkerDied // an earlier version had no reason for what SQS moved
	}
	if e.Entry != nil {
		if err := json.Unmarshal(e.Entry, &l.Entry); err != nil || l.Entry == nil {
			return Letter{}, errors.New("entry is none of the ledger's")
		}
	}
	switch {
	case l.Body == "" || len(l.Body) > queue.MaxBodyBytes:
		return Letter{}, errors.New("body is missing or too long")
	case !queue.Fits(l.Body) || !queue.Fits(l.Event) || !queue.Fits(string(l.Stage)):
		return Letter{}, errors.New("it has characters that SQS refuses")
	case l.DeliveryID != queue.DeliveryID(l.Body):
		return Letter{}, errors.New("deliveryId is not that of its body")
	case !slices.Contains(queue.Reasons(), l.Reason):
		return Letter{}, errors.New("unknown reason")
	case l.Entry != nil && (l.Entry.DeliveryID != l.DeliveryID || !l.Entry.State.Known() || l.Entry.Progress() == ""):
		return Letter{}, errors.New("entry is not that of its delivery")
	case l.Generation < 0 || l.Replays < 0 || l.Attempts < 0 || l.Status < 0:
		return Letter{}, errors.New("a number is negative")
	}
	return l, nil
}

// Imported is the result of an import: how many letters were added to the dead-letter
// queue, and how many were not needed because their delivery is completed.
type Imported struct{ Letters, Done int }

// Import adds exported letters to the dead-letter queue, after recording their home's
// entries in the ledger. failed is called, one at a time, for letters that were not added,
// with the reason: they can be imported again.
func (d *Manager) Import(ctx context.Context, letters []Letter, failed func(Letter, error)) Imported {
	var result Imported
	var needed []Letter
	sideBySide(lookups, letters, func(l Letter) func() {
		e, isNeeded, err := d.importOne(ctx, l)
		l.Generation = e.Generation
		return func() {
			switch {
			case err != nil:
				failed(l, err)
			case isNeeded:
				needed = append(needed, l)
			default:
				result.Done++
			}
		}
	})
	slices.SortFunc(needed, func(a, b Letter) int {
		return cmp.Or(a.DiedAt().Compare(b.DiedAt()), cmp.Compare(a.DeliveryID, b.DeliveryID))
	})
	d.queue.Add(ctx, needed, func(l Letter, err error) {
		if err != nil {
			failed(l, err)
			return
		}
		result.Letters++
		d.progress("importing", result.Letters, len(needed))
	})
	return result
}

func (d *Manager) importOne(ctx context.Context, l Letter) (ledger.Entry, bool, error) {
	if err := ctx.Err(); err != nil {
		return ledger.Entry{}, false, err
	}
	kept, fault, err := l.keep()
	if err != nil {
		return ledger.Entry{}, false, err
	}
	return d.ledger.Import(ctx, l.DeliveryID, l.Entry, l.Generation, fault, kept)
}
