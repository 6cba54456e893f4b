package worker

import (
	"context"
	"errors"
	"io"

	"fairbridge/pkg/attachment"
	"fairbridge/pkg/ledger"
	"fairbridge/pkg/mapping"
	"fairbridge/pkg/queue"
	"fairbridge/pkg/secrets"
	"fairbridge/pkg/testfairy/api"
)

// open opens an attachment at its URL or, if that was signed and has expired, at the
// current URL in TestFairy's list.
func (d *delivery) open(ctx context.Context, a mapping.Attachment) (*attachment.File, error) {
	request := attachment.OpenRequest{URL: a.URL, Want: attachment.Want(a.Want), Announced: d.receivedAt}
	file, err := d.openAs(ctx, request, a.Account)
	var source *attachment.Error
	if a.Renewal.List == "" || !errors.As(err, &source) || !source.Expired {
		return file, err
	}
	if request.URL, err = d.renewed(ctx, a.Renewal, source); err != nil {
		return nil, err
	}
	return d.openAs(ctx, request, a.Account)
}

// renewed asks TestFairy for the screenshot's URL with a current signature. The ledger
// knows which of TestFairy's feedbacks reconcile sent as this delivery; the payload is not
// trusted for that, since anybody with the token can send one. If there is no other URL,
// the error is expired.
func (d *delivery) renewed(ctx context.Context, from mapping.Renewal, expired *attachment.Error) (string, error) {
	id, err := d.Ledger.ReconciledAs(ctx, d.likeness, d.out.DeliveryID)
	switch {
	case errors.Is(err, ledger.ErrNotFound):
		return "", expired
	case err != nil:
		return "", err
	}
	var answer []byte
	list, err := d.openAs(ctx, attachment.OpenRequest{URL: from.List, Want: attachment.WantREST}, from.Account)
	if err == nil {
		defer list.Close()
		answer, err = io.ReadAll(io.LimitReader(list, api.MaxFeedbacks))
	}
	var source *attachment.Error
	switch {
	case errors.As(err, &source) && !source.Permanent:
		passing := *source
		passing.Reason = "TestFairy's list of feedbacks, for a URL that has not expired: " + source.Reason
		return "", &passing
	case errors.Is(err, secrets.ErrNotFound):
		return "", stillExpired(expired, "the secret "+secrets.TestFairyAPIKey+", which TestFairy's list of feedbacks needs, is not stored")
	case errors.As(err, &source):
		return "", stillExpired(expired, "TestFairy's list of feedbacks cannot be read: "+source.Reason)
	case err != nil:
		return "", err
	}
	all, err := api.ReadFeedbacks(answer)
	if err != nil {
		return "", stillExpired(expired, "TestFairy's list of feedbacks cannot be read: "+err.Error())
	}
	for _, f := range all {
		if f.ID == id && f.ScreenshotURL != "" {
			return f.ScreenshotURL, nil
		}
	}
	return "", stillExpired(expired, "TestFairy no longer lists the feedback")
}

// stillExpired returns expired, with the reason why there is no other URL.
func stillExpired(expired *attachment.Error, why string) error {
	e := *expired
	e.Reason += ", and " + why
	return &e
}

// openAs opens a file, with the credentials of the TestFairy account if one is configured.
// If the source rejects them, it tries once more with the key that SSM has now: that is how
// the key is rotated without a deployment.
func (d *delivery) openAs(ctx context.Context, request attachment.OpenRequest, account string) (*attachment.File, error) {
	if account == "" {
		return d.Sources.Open(ctx, request)
	}
	key, err := d.Secrets.Get(ctx, secrets.TestFairyAPIKey)
	if err != nil {
		return nil, failed(queue.StageSecret, err)
	}
	request.Auth = &attachment.BasicAuth{User: account, Password: key}
	file, err := d.Sources.Open(ctx, request)
	var source *attachment.Error
	if !errors.As(err, &source) || !source.SignIn {
		return file, err
	}
	fresh, readErr := d.Secrets.Fresh(ctx, secrets.TestFairyAPIKey, keyAge)
	switch {
	case readErr != nil:
		// It is unknown whether the key was wrong, so the file is not given up.
		return nil, failed(queue.StageSecret, readErr)
	case fresh == key:
		return nil, err
	}
	request.Auth = &attachment.BasicAuth{User: account, Password: fresh}
	return d.Sources.Open(ctx, request)
}
