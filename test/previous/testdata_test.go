package previous_test

import (
	"database/sql"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "modernc.org/sqlite" // reads the SQL

	"fairbridge/pkg/testfairy"
)

// load makes the SQLite file from home.sql.
func load(t *testing.T, path string) {
	t.Helper()
	text, err := os.ReadFile("testdata/home.sql")
	if err != nil {
		t.Fatal(err)
	}
	file, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.ExecContext(t.Context(), string(text)); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
}

// original is the mapping that the bridge ran with.
func original(mapping string) string { return mapping }

// corrected is the mapping without the faults that the dead letters show.
func corrected(mapping string) string {
	return strings.NewReplacer(
		"app: Parked}", "app: [Parked, Unrouted]}",
		"allowed: [Low, High]", "allowed: [Low, High], synonyms: {blocker: High}",
		"element: picture", `element: picture, endpoint: "/api/v1/projects/DEMO/feedback/{{ .ticketId }}/files/picture"`,
	).Replace(mapping)
}

// delivered is an entry of deliveries.json.
type delivered struct {
	Name, ID string
	Payload  json.RawMessage // none for the message that is not ours
}

func readDeliveries(t *testing.T) (all []delivered) {
	t.Helper()
	readJSON(t, "deliveries.json", &all)
	return all
}

func readJSON(t *testing.T, name string, into any) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err == nil {
		err = json.Unmarshal(text, into)
	}
	if err != nil {
		t.Fatalf("read %s: %v", name, err)
	}
}

// TestDeliveryID: a payload that TestFairy sends again after an upgrade is still the same
// delivery.
func TestDeliveryID(t *testing.T) {
	for _, d := range readDeliveries(t) {
		if d.Payload == nil {
			continue
		}
		event, err := testfairy.Decode(d.Payload)
		if err != nil {
			t.Fatalf("%s: %v", d.Name, err)
		}
		if id := event.DeliveryID(); id != d.ID {
			t.Errorf("%s: the delivery is %s now, and was %s", d.Name, id, d.ID)
		}
	}
}
