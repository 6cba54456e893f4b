package centercode

import (
	"context"
	"errors"
	"net/http"
)

// ProbeRequest is where to ask whether Centercode is responding.
type ProbeRequest struct {
	Project string // the project's key
	Source  string // the key of one of its External Sources
	Package string // the key of a data package; "" if there is none
	APIKey  string // never part of an error
}

// Probe sends a request that changes nothing, with the key: for the first page of the data
// package or, without one, to the address of new tickets. What Centercode answers to a GET
// there is not documented, so any answer counts as a success except that of a failing
// server or a rejected key: 401, 403, 408, 425, 429 and 5xx, and a web page in place of a
// data package. The error is an *[Error].
func (c *Client) Probe(ctx context.Context, p ProbeRequest) error {
	x := c.begin(OpProbe, p.APIKey)
	x.reads = true
	segments := []string{"projects", p.Project, "feedback", p.Source}
	if p.Package != "" {
		segments = []string{"projects", p.Project, "feedbackDataPackages", p.Package}
	}
	u, err := c.url(segments...)
	if err != nil {
		return x.cannotSend(err)
	}
	if p.Package != "" {
		u.RawQuery = "page=1"
	}
	req, err := x.ownRequest(ctx, http.MethodGet, u, nil)
	if err != nil {
		return err
	}
	answer, err := c.exchange(ctx, x, req, maxPageBytes)
	failed, ok := errors.AsType[*Error](err)
	switch {
	case ok && (!failed.NotWell() || failed.Status/100 == 3):
		return nil
	case err == nil && p.Package != "" && isPage(answer.body):
		return &Error{Op: x.op, Request: x.request(), Status: answer.status, Description: "a web page where a data package was expected"}
	}
	return err
}
