package dynamo_test

import (
	"testing"

	"fairbridge/pkg/ledger"
	"fairbridge/pkg/ledger/dynamo/dynamotest"
	"fairbridge/pkg/ledger/ledgertest"
)

func TestSearch(t *testing.T) {
	client := dynamotest.Start(t, table).Client()
	history := dynamotest.NewHistory(t, client, table)
	ledgertest.RunSearch(t, dynamotest.NewStore(t, client, table), history, false)

	looked := 0
	q := ledger.Query{Text: "there is none", Progress: func(n int) { looked = n }}
	if err := history.Search(t.Context(), q, func(ledger.Entry) bool { return true }); err != nil || looked != 7 {
		t.Errorf("%d records were looked at, %v; want four deliveries, a letter, a mapping and which one runs", looked, err)
	}
}
