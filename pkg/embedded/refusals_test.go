package embedded_test

import (
	"context"
	"fmt"
	"log/slog"
	"reflect"
	"testing"
	"time"

	"fairbridge/pkg/embedded"
	"fairbridge/pkg/ingest"
	"fairbridge/pkg/sqlitedb"
)

var refusedAt = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func refusal(n int, status int, reason ingest.Reason) ingest.Refusal {
	return ingest.Refusal{At: refusedAt.Add(time.Duration(n) * time.Second), Status: status, Reason: reason, Bytes: n}
}

// written runs the refusals until everything added so far is in the file.
func written(t *testing.T, r *embedded.Refusals) {
	t.Helper()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.Run(ended, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
}

// TestRefusalsAreRemembered checks that strangers' requests do not displace those that may
// be TestFairy's, that all are counted, and that the record survives a restart.
func TestRefusalsAreRemembered(t *testing.T) {
	dir := t.TempDir()
	home, err := embedded.Open(t.Context(), embedded.Config{Folder: dir})
	if err != nil {
		t.Fatal(err)
	}
	lost := refusal(1, 400, ingest.ReasonNotJSON)
	lost.Fields = []string{"event", "text"}
	home.Refusals.Add(lost)
	for n := range 250 {
		home.Refusals.Add(refusal(10+n, 404, ingest.ReasonUnknownPath))
		if n%100 == 0 {
			written(t, home.Refusals)
		}
	}
	home.Refusals.Add(refusal(2, 401, ingest.ReasonWrongToken))
	written(t, home.Refusals)
	if err := home.Close(); err != nil {
		t.Fatal(err)
	}
	home, err = embedded.Open(t.Context(), embedded.Config{Folder: dir, Existing: true})
	if err != nil {
		t.Fatal(err)
	}
	defer home.Close()
	got, err := home.Refusals.Refused(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	counts := []ingest.RefusalCount{
		{Status: 400, Reason: ingest.ReasonNotJSON, Count: 1, Last: refusedAt.Add(time.Second)},
		{Status: 401, Reason: ingest.ReasonWrongToken, Count: 1, Last: refusedAt.Add(2 * time.Second)},
		{Status: 404, Reason: ingest.ReasonUnknownPath, Count: 250, Last: refusedAt.Add(259 * time.Second)},
	}
	if !reflect.DeepEqual(got.Counts, counts) {
		t.Errorf("counts %+v, want %+v", got.Counts, counts)
	}
	if len(got.Last) != 100 || !reflect.DeepEqual(got.Last[99], lost) || got.Last[98].Reason != ingest.ReasonWrongToken ||
		got.Last[0].Bytes != 259 || got.Last[97].Bytes != 259-97 {
		t.Errorf("last refusals are %+v", got.Last)
	}
}

// TestRefusalsThatCannotBeWritten checks that refusals are kept in memory until they can be
// written, up to the number that is recorded anyway.
func TestRefusalsThatCannotBeWritten(t *testing.T) {
	home, err := embedded.Open(t.Context(), embedded.Config{Folder: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer home.Close()
	full := func(on bool) {
		t.Helper()
		trigger := "DROP TRIGGER full"
		if on {
			trigger = "CREATE TRIGGER full BEFORE INSERT ON refusal_counts BEGIN SELECT RAISE(ABORT, 'disk full'); END"
		}
		if err := exec(t.Context(), home, trigger); err != nil {
			t.Fatal(err)
		}
	}
	full(true)
	for n := range 150 {
		home.Refusals.Add(refusal(n, 401, ingest.ReasonWrongToken))
		if n%40 == 0 {
			written(t, home.Refusals)
		}
	}
	if got, err := home.Refusals.Refused(t.Context()); err != nil || len(got.Last)+len(got.Counts) != 0 {
		t.Fatalf("%+v, %v", got, err)
	}
	full(false)
	written(t, home.Refusals)
	got, err := home.Refusals.Refused(t.Context())
	if err != nil || len(got.Last) != 100 || got.Last[0].Bytes != 149 || fmt.Sprint(got.Counts) != fmt.Sprint([]ingest.RefusalCount{
		{Status: 401, Reason: ingest.ReasonWrongToken, Count: 150, Last: refusedAt.Add(149 * time.Second)},
	}) {
		t.Errorf("%d, counts %+v, %v", len(got.Last), got.Counts, err)
	}
}

// TestRefusalsReport checks that a running bridge writes refusals without being asked, and
// passes other outcomes on.
func TestRefusalsReport(t *testing.T) {
	home, err := embedded.Open(t.Context(), embedded.Config{Folder: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer home.Close()
	var passed passedOn
	reporter := home.Refusals.Reporting(&passed)
	for _, o := range []ingest.Outcome{
		{Result: ingest.Accepted, Status: 202}, {Result: ingest.Ignored, Status: 200, Reason: ingest.ReasonNoEvent},
		{Result: ingest.Rejected, Status: 413, Reason: ingest.ReasonTooLargeForQueue, Bytes: 7, Fields: []string{"event"}},
		{Result: ingest.Failed, Status: 503, Reason: ingest.ReasonNotQueued},
	} {
		reporter.Report(t.Context(), o)
	}
	written(t, home.Refusals)
	got, err := home.Refusals.Refused(t.Context())
	if err != nil || passed != 4 || len(got.Last) != 2 || len(got.Counts) != 2 {
		t.Fatalf("%d passed on, %+v, %v", passed, got, err)
	}
	if r := got.Last[1]; r.Reason != ingest.ReasonTooLargeForQueue || r.Bytes != 7 || !reflect.DeepEqual(r.Fields, []string{"event"}) || time.Since(r.At) > time.Minute {
		t.Errorf("%+v", r)
	}
}

type passedOn int

func (p *passedOn) Report(context.Context, ingest.Outcome) { *p++ }

func exec(ctx context.Context, home *embedded.Home, statement string) error {
	return home.DB.Write(ctx, func(tx *sqlitedb.Tx) error {
		_, err := tx.Exec(statement)
		return err
	})
}
