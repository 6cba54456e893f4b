package dynamotest

import (
	"testing"

	"fairbridge/pkg/ledger/dynamo"
)

// NewStore is [dynamo.New] in a test.
func NewStore(t testing.TB, api dynamo.API, table string) *dynamo.Store {
	t.Helper()
	s, err := dynamo.New(dynamo.Config{API: api, Table: table})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// NewHistory is [dynamo.NewHistory] in a test.
func NewHistory(t testing.TB, api dynamo.HistoryAPI, table string) *dynamo.History {
	t.Helper()
	h, err := dynamo.NewHistory(dynamo.HistoryConfig{API: api, Table: table})
	if err != nil {
		t.Fatal(err)
	}
	return h
}
