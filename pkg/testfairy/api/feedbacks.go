package api

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
)

// MostFeedbacks is how many feedbacks TestFairy lists: the latest ones.
const MostFeedbacks = 100

// Feedback is an entry of TestFairy's list of feedbacks. Missing fields are "".
type Feedback struct {
	// ID is TestFairy's; webhooks do not contain it.
	ID string
	// RecordedAt are the times of two clocks as TestFairy writes them. Their time zones
	// differ from what is stated.
	RecordedAt [2]string
	// Text is what the tester wrote, Email the tester's address.
	Text, Email string
	// ScreenshotURL may be signed, and expire.
	ScreenshotURL string
	// ProjectID, BuildID and SessionID are those of the session's page.
	ProjectID, BuildID, SessionID string
}

// Feedbacks lists the account's latest feedbacks, at most [MostFeedbacks], in TestFairy's
// order. The error wraps [ErrGone] if the list no longer exists: 404, 410, or an empty list
// of an API that will be retired.
func (c *Client) Feedbacks(ctx context.Context) ([]Feedback, error) {
	const op = "list feedbacks"
	fields, err := c.list(ctx, request{op: op, path: "feedbacks/", most: MaxFeedbacks})
	if err != nil {
		return nil, err
	}
	all, err := decodeList(fields, "feedbacks", decodeFeedback)
	if err == nil && len(all) == 0 && c.Ending().Deprecated {
		err = ErrGone
	}
	if err != nil {
		return nil, &Error{Op: op, Status: http.StatusOK, Err: err}
	}
	return all, nil
}

// ReadFeedbacks reads what TestFairy's list of feedbacks answers to whoever asks for
// it by other means than a [Client].
func ReadFeedbacks(answer []byte) ([]Feedback, error) {
	fields, _, err := decodeAnswer(answer)
	if err != nil {
		return nil, err
	}
	return decodeList(fields, "feedbacks", decodeFeedback)
}

func decodeFeedback(fields map[string]any, id string) (Feedback, error) {
	written, ok := fields["text"].(string) // unchanged: white space in it may matter
	if !ok {
		written = text(fields["text"])
	}
	get := func(name string) string { return text(fields[name]) }
	return Feedback{
		ID: cmp.Or(get("feedbackId"), id), RecordedAt: [2]string{get("recorded_at"), get("recordedAt")},
		Text: written, Email: get("reported_by"), ScreenshotURL: get("screenshotUrl"),
		ProjectID: get("projectId"), BuildID: get("buildId"), SessionID: get("session_id"),
	}, nil
}

// Session returns the fields of a session that are text or numbers, by their names in
// TestFairy's answer, which are not documented.
func (c *Client) Session(ctx context.Context, project, build, session string) (map[string]string, error) {
	path := "projects/" + url.PathEscape(project) + "/builds/" + url.PathEscape(build) + "/sessions/" + url.PathEscape(session) + "/"
	fields, err := c.call(ctx, request{op: "read session", method: http.MethodGet, path: path, query: url.Values{"fields": {"meta"}}, most: maxAnswer})
	if err != nil {
		return nil, err
	}
	all := map[string]string{}
	for _, name := range []string{"session", "meta"} { // one inside the other, if they exist
		if inner, ok := fields[name].(map[string]any); ok {
			fields = inner
		}
		for field, value := range fields {
			if value := text(value); value != "" {
				all[field] = value
			}
		}
	}
	return all, nil
}
