package worker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"fairbridge/pkg/attachment"
	"fairbridge/pkg/centercode"
	"fairbridge/pkg/ledger"
	"fairbridge/pkg/mapping"
	"fairbridge/pkg/queue"
)

// attachments uploads, one after the other, what Centercode does not have yet.
func (d *delivery) attachments(ctx context.Context) error {
	entry := d.claim.Entry()
	names := ledger.FileNames(d.request.Attachments, func(a mapping.Attachment) string { return a.Element })
	// A doubt comes first: the ledger has room for one.
	if slices.Contains(names, entry.Attaching) && d.request.OnLostAnswer != mapping.Retry {
		return failed(queue.StageAttach, &lostAnswerError{found: true})
	}
	for i, a := range d.request.Attachments {
		name := names[i]
		if _, done := entry.Attached[name]; done {
			continue
		}
		err := d.withKey(ctx, func(ctx context.Context, key string) error {
			return d.attach(ctx, name, a, key)
		})
		var source *attachment.Error
		if a.Optional && errors.As(err, &source) && source.Permanent {
			d.out.Skipped = append(d.out.Skipped, name+": "+source.Reason)
			err = d.claim.Attaching(ctx, "")
		}
		if err != nil {
			return failed(queue.StageAttach, &attachError{name: name, err: err})
		}
	}
	return nil
}

// attachError says which attachment it was.
type attachError struct {
	name string
	err  error
}

func (e *attachError) Error() string { return e.name + ": " + e.err.Error() }
func (e *attachError) Unwrap() error { return e.err }

// attach streams one file from its source to Centercode.
func (d *delivery) attach(ctx context.Context, name string, a mapping.Attachment, key string) error {
	endpoint, err := d.endpoint(a)
	if err != nil {
		return err
	}
	file, err := d.open(ctx, a)
	if err != nil {
		return err
	}
	defer file.Close()
	if name := attachment.CleanName(a.Filename); name != "" {
		file.Name = name
	}
	var written int64
	return d.exchange(ctx, exchange{
		announce: func(ctx context.Context) error { return d.claim.Attaching(ctx, name) },
		send: func() (err error) {
			written, err = d.Centercode.AddFile(ctx, centercode.FileRequest{
				Endpoint: endpoint, APIKey: key, Field: a.Field, Name: file.Name,
				ContentType: file.ContentType, Size: file.Size, Body: d.pacedFile(file, file.Size),
			})
			return err
		},
		record: func(ctx context.Context) error {
			d.out.Attachments++
			d.out.AttachmentBytes += written
			return d.claim.Attached(ctx, name, ledger.Attachment{Name: file.Name, Bytes: written})
		},
	})
}

// endpoint is where the attachment goes: where the route says, else where
// Centercode's answer said.
func (d *delivery) endpoint(a mapping.Attachment) (string, error) {
	entry := d.claim.Entry()
	if endpoint := a.EndpointFor(entry.TicketID); endpoint != "" && (entry.TicketID != "" || endpoint == a.Endpoint) {
		return endpoint, nil
	}
	if endpoint, ok := entry.Files[a.Element]; ok {
		return endpoint, nil
	}
	return "", &endpointError{element: a.Element, answerKeys: entry.AnswerKeys}
}

func (e *endpointError) Error() string {
	where := "Centercode's answer named no file endpoints"
	if len(e.answerKeys) > 0 {
		where = "Centercode's answer has the keys " + strings.Join(e.answerKeys, ", ")
	}
	return fmt.Sprintf("no endpoint for the file element %q: %s; name the element as Centercode does, "+
		"or set the attachment's endpoint in fairbridge.yaml", e.element, where)
}
