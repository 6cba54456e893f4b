package ledger

import (
	"context"
	"errors"
	"time"
)

// ErrConflict means that a Put found another version than the one that it builds on. It is
// always wrapped in a [*ConflictError].
var ErrConflict = errors.New("ledger: conflict")

// ErrNotFound means that the ledger has no entry of a delivery.
var ErrNotFound = errors.New("ledger: no such delivery")

// Record is an [Entry] as a store keeps it: opaque except for what conditional writes,
// expiry and the index need.
type Record struct {
	// ID is the key: the delivery id.
	ID string
	// Version counts the writes, from 1.
	Version int64
	// State repeats the entry's state; "dropped" for a dead entry that a person dropped.
	// See [Ended].
	State string
	// ExpiresAt is when the store may remove the record, in whole seconds. The embedded
	// home's store keeps records that have not [Ended] for ever.
	ExpiresAt time.Time
	// Attention is set if the record waits for a person, since Since (in milliseconds). The
	// store has an index of exactly these records.
	Attention string
	Since     time.Time
	// Doc is the entry as JSON, below 64 KiB. It is returned byte for byte.
	Doc []byte
	// Data is compressed or other data that is not meant to be read by people, at most 300
	// KB; nil for none.
	Data []byte

	// entry is what Doc was made of, for [Read]; nil for a record out of a store.
	entry *Entry
}

// Store keeps the newest [Record] of each delivery. It does not know the rules of the state
// machine; it provides durability, one conditional write and a consistent read. It is used
// by many goroutines and processes concurrently.
type Store interface {
	// Put writes r if the stored version is r.Version-1 or, for version 1, if nothing is
	// stored. The record is durable when Put returns nil.
	//
	// If anything else is stored, the error is a [*ConflictError] that contains it, found
	// by the same call; for a version above 1 where nothing is stored it is [ErrNotFound].
	// After any other error, the write may or may not have happened: the caller, not the
	// store, puts again and recognises its own record in the conflict. Expired records
	// count as stored until they are removed.
	Put(ctx context.Context, r Record) error

	// Get returns the newest record, whoever wrote it, or [ErrNotFound].
	Get(ctx context.Context, id string) (Record, error)

	// Set writes r over whatever is stored. It is for records that only a delivery's holder
	// writes.
	Set(ctx context.Context, r Record) error

	// Delete removes a record, if there is one.
	Delete(ctx context.Context, id string) error
}

// ConflictError is the error of a Put that found another version.
type ConflictError struct {
	// Current is the record that is stored.
	Current Record
}

func (e *ConflictError) Error() string {
	return "ledger: delivery " + e.Current.ID + " was changed by another"
}

// Is makes errors.Is(err, ErrConflict) true.
func (e *ConflictError) Is(target error) bool { return target == ErrConflict }
