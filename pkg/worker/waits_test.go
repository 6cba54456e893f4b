package worker

import (
	"math/rand/v2"
	"testing"
	"time"

	"fairbridge/pkg/breaker"
)

// TestWaitsAreATable checks that the bounds double up to the last, and that each row begins
// where the shortest waits of those above it end.
func TestWaitsAreATable(t *testing.T) {
	sum := time.Duration(0)
	for i, row := range waits {
		if row.waited != sum {
			t.Errorf("row %d begins at %s, those above are at least %s", i, row.waited, sum)
		}
		if i > 0 && row.bound != 2*waits[i-1].bound && i != len(waits)-1 {
			t.Errorf("row %d: up to %s after %s", i, row.bound, waits[i-1].bound)
		}
		sum += row.bound / 2
	}
	waited := time.Duration(0)
	for n := range 30 {
		want := waits[min(n, len(waits)-1)].bound
		wait := retryWait(waited, 1)
		if wait <= want/2 || wait > want {
			t.Fatalf("failure %d: %s, want in the upper half of %s", n+1, wait, want)
		}
		waited += wait
	}
	for range 100 {
		if wait := retryWait(time.Hour, breaker.ManyReceives); wait <= breaker.ManyWait/2 || wait > breaker.ManyWait {
			t.Fatalf("after %d receives: %s", breaker.ManyReceives, wait)
		}
		if wait := handBackWait(rand.N(400)); wait <= time.Second || wait > longestHandBack {
			t.Fatalf("handed back for %s", wait)
		}
	}
}

// lives returns how often the queue delivers a message within 13 days, after which it
// becomes a dead letter, or until its delivery's patience of 10 days runs out.
func lives(wait func(at, waited time.Duration, receives int) time.Duration) int {
	at, waited := time.Duration(0), time.Duration(0)
	receives := 0
	for at < 13*24*time.Hour && waited < 10*24*time.Hour {
		receives++
		w := wait(at, waited, receives)
		at += w
		waited += w
	}
	return receives
}

// TestThirteenDaysTakeFewReceives: SQS moves a message after 1,000 receives, whether it is
// held or failing.
func TestThirteenDaysTakeFewReceives(t *testing.T) {
	const most = 1000
	began := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	kinds := map[string]func(at, waited time.Duration, receives int) time.Duration{
		"failing": func(_, waited time.Duration, receives int) time.Duration { return retryWait(waited, receives) },
		"held": func(at, _ time.Duration, receives int) time.Duration {
			return breaker.Hold{Since: began}.Wait(began.Add(at), receives)
		},
		"failing while the breaker is open": func(at, waited time.Duration, receives int) time.Duration {
			return min(retryWait(waited, receives), breaker.Hold{Since: began}.Wait(began.Add(at), receives))
		},
		"failing while the breaker is open again and again": func(at, waited time.Duration, receives int) time.Duration {
			return min(retryWait(waited, receives), breaker.Hold{Since: began.Add(at).Add(-rand.N(time.Hour))}.Wait(began.Add(at), receives))
		},
		"now the one, now the other": func(at, waited time.Duration, receives int) time.Duration {
			if rand.N(2) == 0 {
				return retryWait(waited, receives)
			}
			return breaker.Hold{Since: began.Add(at).Add(-rand.N(time.Hour))}.Wait(began.Add(at), receives)
		},
	}
	for name, wait := range kinds {
		sum, largest := 0, 0
		for range 10_000 {
			n := lives(wait)
			sum, largest = sum+n, max(largest, n)
		}
		t.Logf("%s: %d receives on average, at most %d", name, sum/10_000, largest)
		if largest > most {
			t.Errorf("%s: %d receives, SQS moves it after %d", name, largest, most)
		}
	}
	// With the mean of each wait.
	for name, mean := range map[string]func(at time.Duration, receives int) time.Duration{
		"failing": func(at time.Duration, receives int) time.Duration {
			bound := waits[min(receives, len(waits))-1].bound
			if receives >= breaker.ManyReceives {
				bound = breaker.ManyWait
			}
			return bound * 3 / 4
		},
		"held": func(at time.Duration, receives int) time.Duration {
			bound := min(max(at/4, 5*time.Second), 15*time.Minute)
			if receives >= breaker.ManyReceives {
				bound = breaker.ManyWait
			}
			return bound * 7 / 8
		},
	} {
		n := lives(func(at, _ time.Duration, receives int) time.Duration { return mean(at, receives) })
		t.Logf("%s: %d receives by the mean", name, n)
		if n > most {
			t.Errorf("%s: %d receives by the mean", name, n)
		}
	}
}
