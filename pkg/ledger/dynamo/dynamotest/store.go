package dynamotest

import (
	"testing"

	"fairbridge/pkg/ledger/dynamo"
)

// NewStore calls [dynamo.New], and fails the test if that fails.
func NewStore(t testing.TB, api dynamo.API, table string) *dynamo.Store {
	t.Helper()
	s, err := dynamo.New(dynamo.Config{API: api, Table: table})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// NewHistory calls [dynamo.NewHistory], and fails the test if that fails.
func NewHistory(t testing.TB, api dynamo.HistoryAPI, table string) *dynamo.History {
	t.Helper()
	h, err := dynamo.NewHistory(dynamo.HistoryConfig{API: api, Table: table})
	if err != nil {
		t.Fatal(err)
	}
	return h
}
