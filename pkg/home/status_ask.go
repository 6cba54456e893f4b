package home

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"strings"
	"time"

	"fairbridge/pkg/centercode"
	"fairbridge/pkg/mapping"
)

// answerTimeout bounds the check whether Centercode, or a bridge on this machine, answers.
const answerTimeout = 10 * time.Second

// askCentercode checks whether the site answers from this machine. Any answer below 500
// counts: the path and the key are the worker's concern. runs is the running mapping; nil
// for that of the file.
func (h *Home) askCentercode(ctx context.Context, runs *mapping.Config, config string) (CentercodeStatus, error) {
	s := CentercodeStatus{BaseURL: h.CentercodeBaseURL}
	if s.BaseURL == "" {
		c, err := runs, error(nil)
		if c == nil {
			c, err = mapping.Load(config)
		}
		switch {
		case errors.Is(err, fs.ErrNotExist):
			s.Note = "not asked: its address is in fairbridge.yaml, and there is no " + config + " here (--config)"
			return s, nil
		case err != nil:
			s.Note = "not asked: " + config + " has mistakes (fairbridge check --config " + config + ")"
			return s, nil
		case c.Centercode.BaseURL == "" && h.OnAWS():
			s.Note = "none is configured"
			return s, fmt.Errorf("no Centercode is configured: deploy with the parameter CentercodeBaseUrl, or with centercode.baseUrl in %s", config)
		case c.Centercode.BaseURL == "":
			s.Simulator = true
			s.Note = "none is configured in " + config + ": tickets go to the simulator"
			return s, nil
		}
		s.BaseURL = c.Centercode.BaseURL
	}
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.BaseURL+"/", nil)
	if err != nil {
		return s, fmt.Errorf("the address of Centercode, %q, is not a URL", s.BaseURL)
	}
	transport := centercode.NewTransport()
	defer transport.CloseIdleConnections()
	start := time.Now()
	resp, err := (&http.Client{Transport: transport, CheckRedirect: noRedirects.CheckRedirect}).Do(req)
	if err != nil {
		if where, ok := errors.AsType[*url.Error](err); ok {
			err = where.Err
		}
		return s, fmt.Errorf("no answer from Centercode at %s: %w", s.BaseURL, err)
	}
	defer resp.Body.Close() // the page itself does not matter
	s.Status, s.Took = resp.StatusCode, time.Since(start).Milliseconds()
	if s.Answers = resp.StatusCode < http.StatusInternalServerError; !s.Answers {
		return s, fmt.Errorf("no good answer from Centercode at %s: HTTP %d", s.BaseURL, resp.StatusCode)
	}
	return s, nil
}

// answers reports whether a bridge on this machine answers at its recorded address: the
// record of one that was killed stays, and another program may have taken the address.
func answers(ctx context.Context, webhook string) bool {
	status, text, err := askBridge(ctx, webhook, "/healthz")
	return err == nil && status == http.StatusOK && strings.HasPrefix(text, "ok")
}

// ErrNotReady reports that a bridge accepts no webhook at the moment.
var ErrNotReady = errors.New("the bridge accepts no webhook at the moment")

// Ready asks the bridge that runs in a folder whether it would accept a webhook. The
// error wraps [fs.ErrNotExist] if no bridge has noted there where it listens, and is
// [ErrNotReady] if it would not.
func Ready(ctx context.Context, folder string) error {
	address, err := ListenAddress(folder)
	if err != nil {
		return err
	}
	status, _, err := askBridge(ctx, LocalWebhook(address, ""), "/readyz")
	if err != nil {
		return fmt.Errorf("no bridge answers at %s: %w", address, err)
	}
	if status != http.StatusOK {
		return fmt.Errorf("%w: HTTP %d", ErrNotReady, status)
	}
	return nil
}

// askBridge requests a path of the bridge with that webhook, and returns the beginning of
// the answer.
func askBridge(ctx context.Context, webhook, path string) (status int, text string, err error) {
	u, err := url.Parse(webhook)
	if err == nil && u.Host == "" {
		err = errors.New("it has not noted where it listens")
	}
	if err != nil {
		return 0, "", err
	}
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.Scheme+"://"+u.Host+path, nil)
	if err != nil {
		return 0, "", err
	}
	resp, err := noRedirects.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 100))
	return resp.StatusCode, string(b), err
}
