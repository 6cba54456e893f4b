package worker

import (
	"context"
	"errors"

	"fairbridge/pkg/attachment"
	"fairbridge/pkg/mapping"
	"fairbridge/pkg/queue"
	"fairbridge/pkg/secrets"
)

// open opens an attachment where it is. If it is asked for with the TestFairy
// account and the source wants other credentials, it is asked for once more with
// those in SSM: that is how the key is rotated without a deploy.
func (d *delivery) open(ctx context.Context, a mapping.Attachment) (*attachment.File, error) {
	request := attachment.OpenRequest{URL: a.URL, Want: attachment.Want(a.Want), Announced: d.receivedAt}
	if a.Account == "" {
		return d.Sources.Open(ctx, request)
	}
	key, err := d.Secrets.Get(ctx, secrets.TestFairyAPIKey)
	if err != nil {
		return nil, failed(queue.StageSecret, err)
	}
	request.Auth = &attachment.BasicAuth{User: a.Account, Password: key}
	file, err := d.Sources.Open(ctx, request)
	var source *attachment.Error
	if !errors.As(err, &source) || !source.SignIn {
		return file, err
	}
	fresh, readErr := d.Secrets.Fresh(ctx, secrets.TestFairyAPIKey, keyAge)
	switch {
	case readErr != nil:
		// Whether the key was wrong is not known, so the file is not given up.
		return nil, failed(queue.StageSecret, readErr)
	case fresh == key:
		return nil, err
	}
	request.Auth = &attachment.BasicAuth{User: a.Account, Password: fresh}
	return d.Sources.Open(ctx, request)
}
