package terminal

import (
	"bytes"
	"testing"
	"time"
)

// TestMeter checks that a meter is drawn on a terminal only, and erased before any other
// output.
func TestMeter(t *testing.T) {
	if m := NewMeter(&bytes.Buffer{}); m.out != nil {
		t.Error("a meter although the output is not a terminal")
	}
	var b bytes.Buffer
	m := &Meter{out: &b}
	m.Clear()
	m.Show("replaying", 1, 20)
	m.Show("replaying", 2, 20) // too early to be drawn
	m.Clear()
	m.Clear()
	if want := "\r\x1b[Kreplaying: 1 of 20\r\x1b[K"; b.String() != want {
		t.Errorf("drew %q, want %q", b.String(), want)
	}
}

func TestAge(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "0s", 0: "0s", 59 * time.Second: "59s", time.Minute: "1m", 59 * time.Minute: "59m",
		time.Hour: "1h", 47 * time.Hour: "47h", 48 * time.Hour: "2d", 14 * 24 * time.Hour: "14d",
	} {
		if got := Age(d); got != want {
			t.Errorf("%s is %s, want %s", d, got, want)
		}
	}
}
