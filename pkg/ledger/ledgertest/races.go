package ledgertest

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"fairbridge/pkg/ledger"
)

// racers is the number of writers that compete for one version.
const racers = 32

func racingCreators(t *testing.T, s ledger.Store) { race(t, s, newID(), 1) }

func racingWriters(t *testing.T, s ledger.Store) {
	id := newID()
	mustPut(t, s, newRecord(id, 1, "start"))
	for version := int64(2); version <= 4; version++ {
		race(t, s, id, version)
	}
}

// race makes all racers put the same version: exactly one may win, and every loser must get
// the winner's record.
func race(t *testing.T, s ledger.Store, id string, version int64) {
	t.Helper()
	start := make(chan struct{})
	errs := make([]error, racers)
	records := make([]ledger.Record, racers)
	var wg sync.WaitGroup
	for i := range racers {
		records[i] = newRecord(id, version, fmt.Sprint("racer ", i))
		wg.Go(func() {
			<-start
			errs[i] = s.Put(t.Context(), records[i])
		})
	}
	close(start)
	wg.Wait()

	winner := -1
	for i, err := range errs {
		if err != nil && !isOwn(err, records[i]) {
			continue
		}
		if winner >= 0 {
			t.Fatalf("version %d: racers %d and %d both won", version, winner, i)
		}
		winner = i
	}
	if winner < 0 {
		t.Fatalf("version %d: no racer won; racer 0 got: %v", version, errs[0])
	}
	for i, err := range errs {
		if i != winner {
			wantConflict(t, err, records[winner])
		}
	}
	wantStored(t, s, records[winner])
}

// counting has several writers increment one record, each continuing from what its conflict
// or its own success returned.
func counting(t *testing.T, s ledger.Store) {
	const writers, each = 8, 5
	id := newID()
	mustPut(t, s, newRecord(id, 1, "start"))
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			version := int64(1)
			for n := range each {
				for {
					r := newRecord(id, version+1, fmt.Sprint("writer ", w, " write ", n))
					err := s.Put(t.Context(), r)
					if err == nil || isOwn(err, r) {
						version++
						break
					}
					var conflict *ledger.ConflictError
					if !errors.As(err, &conflict) {
						t.Errorf("writer %d: %v", w, err)
						return
					}
					if conflict.Current.Version <= version {
						t.Errorf("writer %d: version %d conflicts with version %d", w, version+1, conflict.Current.Version)
						return
					}
					version = conflict.Current.Version
				}
			}
		})
	}
	wg.Wait()
	r, err := s.Get(t.Context(), id)
	if want := int64(1 + writers*each); err != nil || r.Version != want {
		t.Errorf("after %d writes: version %d, %v; want %d", writers*each, r.Version, err, want)
	}
}

// readYourWrites reads each write back at once while others read the same record: no reader
// may see it go back.
func readYourWrites(t *testing.T, s ledger.Store) {
	const writes, readers = 30, 4
	id := newID()
	mustPut(t, s, newRecord(id, 1, "start"))
	done := make(chan struct{})
	var wg sync.WaitGroup
	for range readers {
		wg.Go(func() {
			for seen := int64(1); ; {
				r, err := s.Get(t.Context(), id)
				if err != nil || r.Version < seen {
					t.Errorf("a reader that saw version %d got version %d, %v", seen, r.Version, err)
					return
				}
				seen = r.Version
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	defer wg.Wait()
	defer close(done)
	for version := int64(2); version <= writes; version++ {
		r := newRecord(id, version, fmt.Sprint("write ", version))
		mustPut(t, s, r)
		wantStored(t, s, r)
	}
}
