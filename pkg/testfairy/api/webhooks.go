package api

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// The form fields of a webhook.
const (
	fieldName       = "webhook-name"
	fieldURL        = "webhook-url"
	fieldStatus     = "webhook-status"
	fieldActions    = "actions"
	fieldProjectIDs = "webhook-project-ids"
)

// Webhook is a URL that TestFairy calls. However it is printed, JSON included, its URL is
// shown without the query, which has the token.
type Webhook struct {
	// ID is TestFairy's, "" for a new one.
	ID string
	// Enabled reports whether it is switched on.
	Enabled bool
	// Name is its name in the dashboard.
	Name string
	// URL is where payloads are sent, including what authenticates the sender.
	URL string
	// Actions are the kinds of events that it is called for, such as "feedback".
	Actions []string
	// ProjectIDs are the projects that it is called for. The meaning of an empty list is
	// not documented; the dashboard then shows no choice of projects.
	ProjectIDs []string
}

// Address returns the URL without its query and user, as it may be shown.
func (w Webhook) Address() string {
	u, err := url.Parse(w.URL)
	if err != nil {
		return "(not a URL)"
	}
	u.User, u.RawQuery, u.ForceQuery, u.Fragment, u.RawFragment = nil, "", false, "", ""
	return u.String()
}

// Format implements [fmt.Formatter] for every verb.
func (w Webhook) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, fmt.Sprintf("webhook %s %q to %s", w.ID, w.Name, w.Address()))
}

// LogValue implements [slog.LogValuer].
func (w Webhook) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(w)) }

// MarshalJSON implements [json.Marshaler], for people's tools.
func (w Webhook) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		ID         string   `json:"id"`
		Enabled    bool     `json:"enabled"`
		Name       string   `json:"name"`
		Address    string   `json:"address"`
		Actions    []string `json:"actions"`
		ProjectIDs []string `json:"projectIds"`
	}{w.ID, w.Enabled, w.Name, w.Address(), w.Actions, w.ProjectIDs})
}

// form returns the webhook as TestFairy expects it.
func (w Webhook) form() url.Values {
	form := url.Values{
		fieldName: {w.Name}, fieldURL: {w.URL}, fieldStatus: {strconv.FormatBool(w.Enabled)},
		fieldActions: {strings.Join(w.Actions, ",")},
	}
	if len(w.ProjectIDs) > 0 {
		form.Set(fieldProjectIDs, strings.Join(w.ProjectIDs, ","))
	}
	return form
}

// Webhooks lists the account's webhooks in TestFairy's order. The error wraps [ErrGone] if
// the list no longer exists.
func (c *Client) Webhooks(ctx context.Context) ([]Webhook, error) {
	const op = "list webhooks"
	fields, err := c.list(ctx, request{op: op, path: "webhooks/", most: maxAnswer})
	if err != nil {
		return nil, err
	}
	webhooks, err := decodeList(fields, "webhooks", decodeWebhook)
	if err != nil {
		return nil, &Error{Op: op, Status: http.StatusOK, Err: err}
	}
	return webhooks, nil
}

// AddWebhook adds a webhook; w.ID is ignored. TestFairy does not document whether two
// webhooks may have the same URL, so list them first. The id of the new one is in the next
// list: the answer to this call is not documented.
func (c *Client) AddWebhook(ctx context.Context, w Webhook) error {
	_, err := c.call(ctx, request{op: "add webhook", method: http.MethodPost, path: "webhook/", form: w.form(), most: maxAnswer})
	return err
}

// DeleteWebhook deletes the webhook with that id.
func (c *Client) DeleteWebhook(ctx context.Context, id string) error {
	if !validID().MatchString(id) {
		return &Error{Op: "delete webhook", Err: errShape}
	}
	_, err := c.call(ctx, request{op: "delete webhook " + id, method: http.MethodDelete, path: "webhook/" + id + "/", most: maxAnswer})
	return err
}

// ChangeWebhook changes the webhook with w's ID to w. Empty ProjectIDs are not sent, so
// that a webhook keeps the projects it has.
func (c *Client) ChangeWebhook(ctx context.Context, w Webhook) error {
	if !validID().MatchString(w.ID) {
		return &Error{Op: "change webhook", Err: errShape}
	}
	_, err := c.call(ctx, request{op: "change webhook " + w.ID, method: http.MethodPost, path: "webhook/" + w.ID + "/", form: w.form(), most: maxAnswer})
	return err
}
