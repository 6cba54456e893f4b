package previous_test

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"net/http"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"fairbridge/pkg/ledger"
	"fairbridge/pkg/ledger/dynamo/dynamotest"
	"fairbridge/pkg/ledger/ledgertest"
)

// TestItems reads the items that the earlier version put into DynamoDB: they equal the
// entries that it wrote into SQLite, and can be overwritten.
func TestItems(t *testing.T) {
	var items []json.RawMessage
	readJSON(t, "items.json", &items)
	server := dynamotest.Start(t, "ledger")
	for _, item := range items {
		putItem(t, server.URL, item)
	}
	later := func() time.Time { return killed.Add(time.Hour) } // longer than any lease
	stored := ledgertest.New(t, ledger.Config{Store: dynamotest.NewStore(t, server.Client(), "ledger"), Now: later})

	entries := storedEntries(t)
	if len(entries) != len(items) {
		t.Errorf("%d items, but %d entries", len(items), len(entries))
	}
	for id, want := range entries {
		got, err := stored.Entry(t.Context(), id)
		if err != nil {
			t.Error(err)
			continue
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("delivery %s\n got %+v\nwant %+v", id, got, want)
		}
		if want.State == ledger.Completed {
			continue
		}
		claim, err := stored.Claim(t.Context(), id, ledger.Message{Generation: want.Generation, Marked: true})
		if err != nil {
			t.Errorf("claim delivery %s: %v", id, err)
			continue
		}
		if got := claim.Entry(); got.Attempts != want.Attempts+1 || got.TicketID != want.TicketID {
			t.Errorf("delivery %s, claimed: %+v, was %+v", id, got, want)
		}
	}
}

// putItem puts an item, given as JSON, into the table.
func putItem(t *testing.T, url string, item json.RawMessage) {
	t.Helper()
	body, err := json.Marshal(map[string]any{
		"TableName": "ledger", "Item": item, "ConditionExpression": "attribute_not_exists(#id)",
		"ExpressionAttributeNames": map[string]string{"#id": "id"},
	})
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-Amz-Target", "DynamoDB_20120810.PutItem")
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		t.Fatalf("put an item: %s", answer.Status)
	}
}

// storedEntries returns the entries in home.sql, before any migration.
func storedEntries(t *testing.T) map[string]ledger.Entry {
	t.Helper()
	path := filepath.Join(t.TempDir(), "fairbridge.db")
	load(t, path)
	file, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	rows, err := file.QueryContext(t.Context(), "SELECT id, doc FROM ledger")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	entries := map[string]ledger.Entry{}
	for rows.Next() {
		var id, doc string
		if err := rows.Scan(&id, &doc); err != nil {
			t.Fatal(err)
		}
		var e ledger.Entry
		if err := json.Unmarshal([]byte(doc), &e); err != nil {
			t.Fatalf("delivery %s: %v", id, err)
		}
		entries[id] = e
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return entries
}
