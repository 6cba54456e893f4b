package main

import (
	"context"
	"fmt"
)

// checkStack checks whether a stack's resources have what the bridge needs.
func checkStack(ctx context.Context, std streams, at *place) error {
	t, err := at.open(ctx)
	if err != nil {
		return err
	}
	defer t.Close()
	lacks, err := t.TableLacks(ctx)
	if err != nil {
		return err
	}
	for _, lack := range lacks {
		fmt.Fprintln(std.out, lack)
	}
	if len(lacks) > 0 {
		return errSaid
	}
	_, err = fmt.Fprintf(std.out, "the ledger's table %s has all that it needs\n", t.LedgerTable)
	return err
}
