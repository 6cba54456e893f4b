package ledger

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
)

const (
	letterPrefix = "#letter/"
	// maxPart is the maximum size of a part in bytes: DynamoDB accepts items of up to 400
	// KB.
	maxPart = 300_000
	// mostParts is the maximum number of parts of a letter: an incompressible message of 1
	// MiB with its attributes.
	mostParts = 4
	// maxUnpacked bounds what is read back: a message of 1 MiB, as JSON.
	maxUnpacked = 8 << 20
)

// ErrNoLetter means that the ledger does not have a delivery's message: the delivery is not
// dead, died under an earlier version, or the parts do not belong together.
var ErrNoLetter = errors.New("ledger: no letter of this delivery")

// part is the document of a part. The parts of one letter share a checksum.
type part struct {
	Part int    `json:"part"`
	Of   int    `json:"of"`
	Sum  string `json:"sha256"`
}

func partID(id string, n int) string { return fmt.Sprintf("%s%s/%d", letterPrefix, id, n) }

// KeepLetter stores the message of a delivery that is about to become a dead letter. From
// then on nobody has to receive it from the queue to look at it, and it outlives the
// queue's retention period. It is ignored unless Died follows. The format of letter is the
// caller's.
func (c *Claim) KeepLetter(ctx context.Context, letter []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lost {
		return ErrConflict
	}
	parts, err := c.ledger.keepLetter(ctx, c.entry.DeliveryID, letter)
	if err != nil {
		return err
	}
	// More parts of an earlier death are removed with these.
	c.entry.Letter = max(c.entry.Letter, parts)
	return nil
}

// keepLetter writes the parts of a letter, the first one last, and returns their number.
func (l *Ledger) keepLetter(ctx context.Context, id string, letter []byte) (parts int, err error) {
	doing := "keep the letter of delivery " + id
	sum := sha256.Sum256(letter)
	all := slices.Collect(slices.Chunk(pack(letter), maxPart))
	for i, data := range slices.Backward(all) {
		p := part{Part: i + 1, Of: len(all), Sum: hex.EncodeToString(sum[:])}
		if err := l.note(ctx, doing, Record{ID: partID(id, p.Part), State: "letter", Data: data}, p); err != nil {
			return 0, err
		}
	}
	return len(all), nil
}

// Letter returns the message of a dead delivery as passed to KeepLetter, or [ErrNoLetter].
func (l *Ledger) Letter(ctx context.Context, e Entry) ([]byte, error) {
	if e.State != Dead || e.Letter == 0 {
		return nil, ErrNoLetter
	}
	var packed []byte
	var first part
	doing := "read the letter of delivery " + e.DeliveryID
	for n, of := 1, 1; n <= of; n++ {
		var p part
		r, err := l.noted(ctx, doing, partID(e.DeliveryID, n), &p)
		if errors.Is(err, ErrNotFound) {
			return nil, ErrNoLetter
		}
		if err != nil {
			return nil, err
		}
		if n == 1 {
			first, of = p, p.Of
		}
		if p.Part != n || p.Of != of || p.Sum != first.Sum {
			return nil, ErrNoLetter
		}
		packed = append(packed, r.Data...)
	}
	letter, err := unpack(packed)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", doing, err)
	}
	if sum := sha256.Sum256(letter); hex.EncodeToString(sum[:]) != first.Sum {
		return nil, ErrNoLetter
	}
	return letter, nil
}

// forgetLetter removes the parts of a letter. Parts that remain after an error will expire.
func (l *Ledger) forgetLetter(ctx context.Context, id string, parts int) (err error) {
	for n := 1; n <= parts; n++ {
		err = errors.Join(err, l.store.Delete(ctx, partID(id, n)))
	}
	return err
}

// retainLetter makes the parts of a letter expire together with the delivery's entry.
func (l *Ledger) retainLetter(ctx context.Context, id string, parts int) error {
	for n := 1; n <= parts; n++ {
		r, err := l.store.Get(ctx, partID(id, n))
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err == nil {
			r.ExpiresAt = expiry(l.now(), RetainDone)
			err = l.store.Set(ctx, r)
		}
		if err != nil {
			return fmt.Errorf("keep the letter of delivery %s: %w", id, err)
		}
	}
	return nil
}

func pack(b []byte) []byte {
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, _ = w.Write(b) // a buffer takes everything
	_ = w.Close()
	return packed.Bytes()
}

func unpack(packed []byte) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(io.LimitReader(r, maxUnpacked+1))
	if err == nil && len(b) > maxUnpacked {
		err = errors.New("it is too long")
	}
	return b, err
}
