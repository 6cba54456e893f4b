package retryafter_test

import (
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
	}{
		{"", "", 0},
		{"0", "", 0},
		{"90", "", 90 * time.Second},
		{" 90 ", "", 90 * time.Second},
		{"3600", "", time.Hour},
		{"3601", "", time.Hour},
		{"99999999999999999999999", "", time.Hour},
		{"-5", "", 0},
		{"1.5", "", 0},
		{"soon", "", 0},
		{"Wed, 04 Mar 2026 05:07:07 GMT", "", time.Minute},
		{"Wed, 04 Mar 2026 05:07:07 GMT", "Wed, 04 Mar 2026 05:05:07 GMT", 2 * time.Minute},
		{"Wednesday, 04-Mar-26 05:07:07 GMT", "", time.Minute},
		{"Wed, 04 Mar 2026 05:00:00 GMT", "", 0},
		{"Wed, 04 Mar 2026 05:07:07 GMT", "yesterday", time.Minute},
		{"Wed, 04 Mar 2026 05:07:07 GMT", "Wed, 04 Mar 2026 06:05:07 GMT", 0},
		{"2026-03-04T05:07:07Z", "", 0},
		{"+90", "", 0},
		{"90 s", "", 0},
		{"٣", "", 0},
		{"Wed, 04 Mar 2099 05:07:07 GMT", "", time.Hour},
	}
	for _, tt := range tests {
		h := http.Header{"Retry-After": {tt.value}}
		if tt.date != "" {
			h.Set("Date", tt.date)
		}
		if got := retryafter.Read(h, now); got != tt.want {
			t.Errorf("Retry-After %q at %q: %v, want %v", tt.value, tt.date, got, tt.want)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add("90", "")
	f.Add("Wed, 04 Mar 2026 05:07:07 GMT", "Wed, 04 Mar 2026 05:05:07 GMT")
	f.Fuzz(func(t *testing.T, value, date string) {
		h := http.Header{"Retry-After": {value}, "Date": {date}}
		if got := retryafter.Read(h, time.Time{}); got < 0 || got > retryafter.Most {
			t.Errorf("%q at %q: %v", value, date, got)
		}
	})
}
