package retryafter_test

import (
	"cmp"
	"math"
	"net/http"
	"testing"
	"time"

	"fairbridge/pkg/internal/retryafter"
)

func TestRead(t *testing.T) {
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	tests := []struct {
		value, date string
		want        time.Duration
		asked       time.Duration // if it is more
	}{
		{"", "", 0, 0},
		{"0", "", 0, 0},
		{"90", "", 90 * time.Second, 0},
		{" 90 ", "", 90 * time.Second, 0},
		{"3600", "", time.Hour, 0},
		{"3601", "", time.Hour, time.Hour + time.Second},
		{"99999999999999999999999", "", time.Hour, math.MaxInt64},
		{"-5", "", 0, 0},
		{"1.5", "", 0, 0},
		{"soon", "", 0, 0},
		{"Wed, 04 Mar 2026 05:07:07 GMT", "", time.Minute, 0},
		{"Wed, 04 Mar 2026 05:07:07 GMT", "Wed, 04 Mar 2026 05:05:07 GMT", 2 * time.Minute, 0},
		{"Wednesday, 04-Mar-26 05:07:07 GMT", "", time.Minute, 0},
		{"Wed, 04 Mar 2026 05:00:00 GMT", "", 0, 0},
		{"Wed, 04 Mar 2026 05:07:07 GMT", "yesterday", time.Minute, 0},
		{"Wed, 04 Mar 2026 05:07:07 GMT", "Wed, 04 Mar 2026 06:05:07 GMT", 0, 0},
		{"2026-03-04T05:07:07Z", "", 0, 0},
		{"+90", "", 0, 0},
		{"90 s", "", 0, 0},
		{"٣", "", 0, 0},
		{"Thu, 05 Mar 2026 05:06:07 GMT", "", time.Hour, 24 * time.Hour},
	}
	for _, tt := range tests {
		h := http.Header{"Retry-After": {tt.value}}
		if tt.date != "" {
			h.Set("Date", tt.date)
		}
		got := retryafter.Read(h, now)
		if text := got.String(); (text != "") != (got.Asked > time.Hour) {
			t.Errorf("Retry-After %q: asked for %v, printed as %q", tt.value, got.Asked, text)
		}
		if asked := cmp.Or(tt.asked, tt.want); got.Granted != tt.want || got.Asked != asked {
			t.Errorf("Retry-After %q at %q: %+v, want %v", tt.value, tt.date, got, tt.want)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add("90", "")
	f.Add("Wed, 04 Mar 2026 05:07:07 GMT", "Wed, 04 Mar 2026 05:05:07 GMT")
	f.Fuzz(func(t *testing.T, value, date string) {
		h := http.Header{"Retry-After": {value}, "Date": {date}}
		if got := retryafter.Read(h, time.Time{}); got.Granted < 0 || got.Granted > retryafter.Most || got.Asked < got.Granted {
			t.Errorf("%q at %q: %v", value, date, got)
		}
	})
}
