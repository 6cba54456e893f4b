package ledger

import (
	"context"
	"errors"
	"time"
)

// ErrConflict says that a Put found another version than the one it was made
// from. It is always carried by a [*ConflictError].
var ErrConflict = errors.New("ledger: conflict")

// ErrNotFound says that the ledger knows nothing of a delivery.
var ErrNotFound = errors.New("ledger: no such delivery")

// Record is an [Entry] as a store keeps it: opaque but for what a conditional
// write and an expiry need.
type Record struct {
	// ID is the delivery id, the key.
	ID string
	// Version counts the writes, from 1.
	Version int64
	// State repeats the entry's state; "dropped" for a dead one that a person
	// gave up. See [Ended].
	State string
	// ExpiresAt is when the store may forget the record, to the second. A store
	// that has room keeps what has not [Ended] for ever.
	ExpiresAt time.Time
	// Attention is not empty if the record waits for a person, since Since, to
	// the millisecond. An index of the store has just those.
	Attention string
	Since     time.Time
	// Doc is the entry as JSON, below 64 KiB; it comes back byte for byte.
	Doc []byte
	// Data is what is not for people's eyes, at most 300 KB; nil for none.
	Data []byte
}

// Store keeps the newest [Record] of each delivery. The rules of the state
// machine are not its business: it owes durability, one conditional write and
// a consistent read. It is used by many goroutines and processes at once.
type Store interface {
	// Put writes r if the stored version is r.Version-1 or, for version 1, if
	// nothing is stored. The record is durable when Put returns nil.
	//
	// Anything else stored is a [*ConflictError] that carries it, found by the
	// same call; a version above 1 where nothing is stored is [ErrNotFound]. After
	// any other error the write may or may not have happened: the caller, not the
	// store, puts again, and recognises its own record in the conflict. Expired
	// records count as stored until they are removed.
	Put(ctx context.Context, r Record) error

	// Get returns the newest record, whoever wrote it, or [ErrNotFound].
	Get(ctx context.Context, id string) (Record, error)

	// Set writes r over whatever is stored. It is for what only the holder of a
	// delivery writes.
	Set(ctx context.Context, r Record) error

	// Delete removes a record; there need not be one.
	Delete(ctx context.Context, id string) error
}

// ConflictError is a Put that met another version.
type ConflictError struct {
	// Current is the record that is stored.
	Current Record
}

func (e *ConflictError) Error() string {
	return "ledger: delivery " + e.Current.ID + " was changed by another"
}

// Is makes errors.Is(err, ErrConflict) true.
func (e *ConflictError) Is(target error) bool { return target == ErrConflict }
