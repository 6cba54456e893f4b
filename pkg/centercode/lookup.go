package centercode

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

const (
	maxPackagePages = 500     // of one look-up
	maxPageBytes    = 8 << 20 // of one page
)

// Lookup searches a column of a data package, a report that the customer designs, for a
// value, to find its ticket.
type Lookup struct {
	Project      string // the project's key
	Package      string // the data package's key
	Column       string // the name of the column to search
	TicketColumn string // the name of the column that holds the ticket's id
	Value        string // the exact value to search for
	APIKey       string // never part of an error
}

// FindTicket pages through a data package until a row has the value. found is false only
// after it has read every page. A package that has more than 500 pages, lacks a column, or
// lacks the ticket's id is an error. Errors are *[Error]; after a Permanent one, the
// look-up cannot work at any time.
func (c *Client) FindTicket(ctx context.Context, l Lookup) (ticketID string, found bool, err error) {
	x := c.begin(OpFindTicket, l.APIKey)
	x.reads = true
	unfit := func(status int, text string) *Error {
		return &Error{Op: x.op, Request: x.request(), Status: status, Final: true, Description: x.description(text)}
	}
	for n := 1; n <= maxPackagePages; n++ {
		page, status, err := c.packagePage(ctx, x, l, n)
		if err != nil {
			return "", false, err
		}
		id, found, err := page.find(l)
		if err != nil {
			return "", false, unfit(status, err.Error())
		}
		if found {
			return id, true, nil
		}
		// Without a total, a page without rows is the last.
		total, err := strconv.Atoi(page.Paging.TotalPages.String())
		if len(page.Data) == 0 || err == nil && n >= total {
			return "", false, nil
		}
	}
	return "", false, unfit(http.StatusOK, fmt.Sprintf("data package %q has more than %d pages: narrow its filter", l.Package, maxPackagePages))
}

// packagePage requests one page, counted from 1. Its error is an *Error.
func (c *Client) packagePage(ctx context.Context, x *call, l Lookup, n int) (page packagePage, status int, err error) {
	u, err := c.url("projects", l.Project, "feedbackDataPackages", l.Package)
	if err != nil {
		return packagePage{}, 0, x.cannotSend(fmt.Errorf("data package endpoint: %w", err))
	}
	u.RawQuery = "page=" + strconv.Itoa(n)
	req, err := x.ownRequest(ctx, http.MethodGet, u, nil)
	if err != nil {
		return packagePage{}, 0, err
	}
	answer, err := c.exchange(ctx, x, req, maxPageBytes)
	if err != nil {
		return packagePage{}, 0, err
	}
	e := &Error{Op: x.op, Request: x.request(), Status: answer.status}
	if answer.broke != nil {
		if e.Err = answer.broke; errors.Is(e.Err, errTooLong) {
			e.Final, e.Description = true, "leave columns out of the data package"
		}
		return packagePage{}, 0, e
	}
	if page, err = readPackagePage(answer.body); err != nil {
		// JSON comes from Centercode; a web page from something in between may be gone next
		// time.
		e.Final = json.Valid(answer.body)
		e.Description = x.description("the answer is not a page of a data package: " + x.describe(answer.body))
		return packagePage{}, 0, e
	}
	return page, answer.status, nil
}

// packagePage is one page, in the form that Centercode's sample code for data packages
// reads.
type packagePage struct {
	Paging struct {
		TotalPages json.Number `json:"totalPages"`
	} `json:"paging"`
	Fields []struct {
		Name string `json:"name"`
	} `json:"fields"`
	Data [][]packageCell `json:"data"`
}

type packageCell struct {
	ComputedValue any   `json:"computedValue"`
	Values        []any `json:"values"`
}

func readPackagePage(body []byte) (packagePage, error) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var page packagePage
	if err := d.Decode(&page); err != nil {
		return packagePage{}, err
	}
	if page.Fields == nil && page.Data == nil {
		return packagePage{}, errors.New("neither fields nor data")
	}
	return page, nil
}

// find searches the page for the row of l.
func (p packagePage) find(l Lookup) (ticketID string, found bool, err error) {
	if len(p.Data) == 0 && len(p.Fields) == 0 {
		return "", false, nil // an empty report
	}
	column, err := p.column(l.Column)
	if err != nil {
		return "", false, err
	}
	ticket, err := p.column(l.TicketColumn)
	if err != nil {
		return "", false, err
	}
	for _, row := range p.Data {
		if len(row) != len(p.Fields) {
			// Which column is missing would be a guess, and a wrong guess misses the
			// ticket.
			return "", false, fmt.Errorf("the data package has a row of %d cells for %d columns", len(row), len(p.Fields))
		}
		if !slices.Contains(row[column].texts(), l.Value) {
			continue
		}
		if texts := row[ticket].texts(); len(texts) > 0 {
			return texts[0], true, nil
		}
		return "", false, fmt.Errorf("the row was found, but its column %q is empty", l.TicketColumn)
	}
	return "", false, nil
}

// column finds a column by its exact name or, failing that, regardless of case.
func (p packagePage) column(name string) (int, error) {
	var names []string
	for i, field := range p.Fields {
		if field.Name == name {
			return i, nil
		}
		names = append(names, strconv.Quote(field.Name))
	}
	for i, field := range p.Fields {
		if strings.EqualFold(strings.TrimSpace(field.Name), strings.TrimSpace(name)) {
			return i, nil
		}
	}
	return 0, fmt.Errorf("the data package has no column %q; it has %s", name, strings.Join(names, ", "))
}

// texts returns what a cell displays, then its components.
func (c packageCell) texts() []string {
	var texts []string
	for _, v := range append([]any{c.ComputedValue}, c.Values...) {
		if text := strings.TrimSpace(scalar(v)); text != "" {
			texts = append(texts, text)
		}
	}
	return texts
}
