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

// answerTimeout is what Centercode, or a bridge on this machine, has to answer
// whether it is there.
const answerTimeout = 10 * time.Second

// askCentercode finds out whether the site answers from this machine. Any answer
// below 500 will do: the path and the key are the worker's business. runs is the
// mapping that runs; nil for the one of the file.
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

// answers says whether a bridge on this machine answers where it said it listens:
// the note of one that was killed stays, and another program may be there by now.
func answers(ctx context.Context, webhook string) bool {
	u, err := url.Parse(webhook)
	if err != nil || u.Host == "" {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.Scheme+"://"+u.Host+"/healthz", nil)
	if err != nil {
		return false
	}
	resp, err := noRedirects.Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	text := make([]byte, len("ok "))
	_, err = io.ReadFull(resp.Body, text)
	return err == nil && resp.StatusCode == http.StatusOK && strings.TrimSpace(string(text)) == "ok"
}
