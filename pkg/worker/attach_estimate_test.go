package worker

import (
	"math"
	"testing"
	"time"
)

func TestEstimate(t *testing.T) {
	const gib = 1 << 30
	for _, tt := range []struct {
		name  string
		bytes int64
		took  time.Duration
		more  int64
		want  time.Duration
	}{
		{"the same again", 1000, time.Second, 1000, time.Second},
		{"nothing left", 1000, time.Second, 0, 0},
		{"nothing left, nothing seen", 0, time.Second, 0, 0},
		{"nothing seen", 0, time.Second, 1, math.MaxInt64},
		{"2 GiB at 2.4 MB/s", 24_000_000, 10 * time.Second, 2 * gib, 894784853333},
		{"2 GiB at a byte a minute", 1, time.Minute, 2 * gib, math.MaxInt64 / 2},
		{"at once", 1000, 0, gib, 0},
	} {
		// Floating point loses at most a nanosecond.
		if got := estimate(tt.bytes, tt.took, tt.more); got.Truncate(time.Microsecond) != tt.want.Truncate(time.Microsecond) {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

// TestPace reads each file second by second, with one speed for each phase, and checks when
// it is given up.
func TestPace(t *testing.T) {
	const mb = 1_000_000
	type phase struct {
		seconds int
		speed   int64 // bytes a second
	}
	for _, tt := range []struct {
		name   string
		size   int64
		left   time.Duration
		phases []phase
		gaveUp int // after this many seconds; -1 never
	}{
		{"fast enough", 800 * mb, 890 * time.Second, []phase{{800, mb}}, -1},
		{"just too slow", 891 * mb, 890 * time.Second, []phase{{890, mb}}, 45},
		{"much too slow", 2000 * mb, 890 * time.Second, []phase{{890, mb}}, 45},
		{"little time left", 2000 * mb, 20 * time.Second, []phase{{20, mb}}, 2},
		{"a rest that the window outlasts", 800 * mb, 890 * time.Second, []phase{{100, 2 * mb}, {20, 0}, {600, mb}}, -1},
		{"slow at first", 800 * mb, 890 * time.Second, []phase{{5, mb / 2}, {800, mb}}, -1},
		{"stalls for good", 800 * mb, 890 * time.Second, []phase{{100, mb}, {790, 10}}, 107},
		{"small", 10, 890 * time.Second, []phase{{1, 10}}, -1},
	} {
		begin := time.Unix(0, 0)
		p, gaveUp, second, read := newPace(begin, tt.left), -1, 0, int64(0)
		for _, ph := range tt.phases {
			for range ph.seconds {
				second++
				if read = min(read+ph.speed, tt.size); read == tt.size || gaveUp >= 0 {
					break
				}
				passed := time.Duration(second) * time.Second
				if p.needs(point{begin.Add(passed), read}, tt.size-read) > tt.left-passed {
					gaveUp = second
				}
			}
		}
		if gaveUp != tt.gaveUp {
			t.Errorf("%s: given up after %d s, want %d", tt.name, gaveUp, tt.gaveUp)
		}
	}
}

func TestGiveWay(t *testing.T) {
	g, now := &gate{}, time.Unix(1000, 0)
	for _, tt := range []struct {
		after time.Duration
		want  bool
	}{{0, true}, {0, false}, {9 * time.Second, false}, {10 * time.Second, true}, {11 * time.Second, false}} {
		if got := g.giveWay(now.Add(tt.after), 10*time.Second); got != tt.want {
			t.Errorf("after %v: %v", tt.after, got)
		}
	}
}
