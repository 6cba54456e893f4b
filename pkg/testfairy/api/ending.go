package api

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// Ending is what an answer's headers announce about the end of the REST API: Deprecation
// (https://www.rfc-editor.org/rfc/rfc9745) and Sunset
// (https://www.rfc-editor.org/rfc/rfc8594). Sauce Labs' new platform sends them.
type Ending struct {
	// Deprecated means that the API will be retired.
	Deprecated bool
	// Sunset is when; zero if not announced.
	Sunset time.Time
}

// Outlook asks TestFairy about the end of the API and describes the consequences; "" if
// none is announced, or TestFairy does not answer.
func (c *Client) Outlook(ctx context.Context) string {
	_, err := c.Webhooks(ctx)
	const without = "'fairbridge reconcile', session logs and 'fairbridge webhook' need it, and webhooks do not"
	switch e := c.Ending(); {
	case !e.Sunset.IsZero():
		return "TestFairy announces that its REST API ends on " + e.Sunset.Format(time.DateOnly) + ": " + without
	case e.Deprecated:
		return "TestFairy announces that its REST API will end: " + without
	case errors.Is(err, ErrGone):
		return "TestFairy's REST API is gone: " + without
	}
	return ""
}

// Ending returns what the last answer announced; the zero value before the first answer.
func (c *Client) Ending() Ending {
	if e := c.ending.Load(); e != nil {
		return *e
	}
	return Ending{}
}

func endingOf(h http.Header) Ending {
	deprecation := h.Get("Deprecation")
	sunset, err := http.ParseTime(h.Get("Sunset"))
	if err != nil {
		sunset = time.Time{}
	}
	return Ending{Deprecated: deprecation != "" && deprecation != "false" || h.Get("Sunset") != "", Sunset: sunset.UTC()}
}

// list reads a list; its error wraps [ErrGone] if the list no longer exists.
func (c *Client) list(ctx context.Context, r request) (map[string]any, error) {
	r.method = http.MethodGet
	fields, err := c.call(ctx, r)
	if e, ok := errors.AsType[*Error](err); ok && (e.Status == http.StatusNotFound || e.Status == http.StatusGone) {
		e.Err = ErrGone
	}
	return fields, err
}
