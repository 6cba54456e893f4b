package sqlite

import (
	"context"
	"sync/atomic"

	"fairbridge/pkg/ledger"
)

// turns alternates between two stores with every call.
type turns struct {
	calls  atomic.Int64
	stores [2]*Store
}

func (t *turns) next() *Store { return t.stores[t.calls.Add(1)%2] }

func (t *turns) Put(ctx context.Context, r ledger.Record) error { return t.next().Put(ctx, r) }

func (t *turns) Get(ctx context.Context, id string) (ledger.Record, error) {
	return t.next().Get(ctx, id)
}

func (t *turns) Set(ctx context.Context, r ledger.Record) error { return t.next().Set(ctx, r) }

func (t *turns) Delete(ctx context.Context, id string) error { return t.next().Delete(ctx, id) }
