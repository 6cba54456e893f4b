// Package retryafter reads the Retry-After header.
package retryafter

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Most is the longest wait that is granted, so that a wrong year in the header does not
// hold a delivery that long.
const Most = time.Hour

// forever is the longest possible duration.
const forever time.Duration = math.MaxInt64

// Wait is how long to leave a server alone.
type Wait struct {
	// Granted is how long to wait, at most [Most]; Asked is what the server asked for.
	Granted, Asked time.Duration
}

// String says what was asked for if that is longer than what is granted, otherwise "".
func (w Wait) String() string {
	if w.Asked <= w.Granted {
		return ""
	}
	return fmt.Sprintf("Retry-After asks for %v, of which %v is granted", w.Asked, w.Granted)
}

// Read reads Retry-After, which is in seconds or an HTTP date (RFC 9110, section 10.2.3). A
// date is compared with the response's own Date, so that a wrong clock at either end does
// not matter; if there is none, with now. A value that is invalid or in the past gives 0.
func Read(h http.Header, now time.Time) Wait {
	asked := read(h, now)
	return Wait{Granted: min(asked, Most), Asked: asked}
}

func read(h http.Header, now time.Time) time.Duration {
	value := strings.TrimSpace(h.Get("Retry-After"))
	if value != "" && strings.Trim(value, "0123456789") == "" {
		seconds, err := strconv.ParseInt(value, 10, 64)
		if err != nil || seconds > int64(forever/time.Second) {
			return forever // only digits, so the number is too large
		}
		return time.Duration(seconds) * time.Second
	}
	until, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		now = date
	}
	return max(until.Sub(now), 0)
}
