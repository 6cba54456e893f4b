package home

import (
	"context"
	"fmt"

	"fairbridge/pkg/ledger/dynamo"
)

// TableLacks returns what a stack's ledger table lacks and how to add it, one sentence
// each: a table that an earlier stack has left may be older than what the bridge needs.
func (h *Home) TableLacks(ctx context.Context) (lacks []string, err error) {
	if h.Tables == nil {
		return nil, nil
	}
	found, err := dynamo.Inspect(ctx, h.Tables, h.LedgerTable)
	for _, lack := range found {
		text := fmt.Sprintf("the ledger's table %s has %s", h.LedgerTable, lack.What)
		if lack.Command != "" {
			text += ": " + h.awsCommand(lack.Command)
		}
		lacks = append(lacks, text)
	}
	return lacks, err
}
