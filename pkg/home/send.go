package home

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"syscall"
	"time"
)

const (
	sendTimeout = 30 * time.Second
	maxAnswer   = 64 << 10
)

// Send sends one payload to a webhook, whose URL includes the token, as TestFairy would,
// and returns the answer. No error contains the URL.
func Send(ctx context.Context, webhook string, payload []byte) (status int, answer string, err error) {
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, webhook, bytes.NewReader(payload))
	if err != nil {
		return 0, "", errors.New("send payload: the webhook's URL is not valid")
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := noRedirects.Do(req)
	if errors.Is(err, syscall.ECONNREFUSED) {
		return 0, "", fmt.Errorf("send payload: no bridge answers at %s", req.URL.Host)
	}
	if err != nil {
		var where *url.Error
		if errors.As(err, &where) {
			err = where.Err
		}
		return 0, "", fmt.Errorf("send payload: %w", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return 0, "", fmt.Errorf("read the answer to a payload: %w", err)
	}
	return resp.StatusCode, string(body), nil
}

// noRedirects returns a redirect as the answer: following it could reveal the token.
var noRedirects = &http.Client{
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}
