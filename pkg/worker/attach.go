package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"fairbridge/pkg/attachment"
	"fairbridge/pkg/centercode"
	"fairbridge/pkg/ledger"
	"fairbridge/pkg/mapping"
	"fairbridge/pkg/queue"
)

// attachments uploads, one after the other, the files that Centercode does not have yet.
func (d *delivery) attachments(ctx context.Context) error {
	entry := d.claim.Entry()
	names := ledger.FileNames(d.request.Attachments, func(a mapping.Attachment) string { return a.Element })
	// A doubtful upload comes first: the ledger has room for one.
	if i := slices.Index(names, entry.Attaching); i >= 0 && d.request.Attachments[i].OnLostAnswer != mapping.Retry {
		return failed(queue.StageAttach, &attachError{name: entry.Attaching, err: &lostAnswerError{found: true}})
	}
	timer := d.startFiles(ctx)
	defer timer.stop()
	for i, a := range d.request.Attachments {
		name := names[i]
		if _, done := entry.Attached[name]; done {
			continue
		}
		if timer.over() && ctx.Err() == nil {
			return failed(queue.StageAttach, errSlow)
		}
		err := d.withKey(ctx, false, func(ctx context.Context, key string) error {
			return timer.judge(ctx, d.attach(ctx, timer, name, a, key))
		})
		var source *attachment.Error
		if a.Optional && errors.As(err, &source) && (source.Permanent || d.exhausted() && attachment.IsSourceFault(err)) {
			d.out.Skipped = append(d.out.Skipped, name+": "+source.Reason)
			err = d.claim.Attaching(ctx, "")
		}
		if err != nil {
			return failed(queue.StageAttach, &attachError{name: name, err: err})
		}
	}
	return nil
}

// attachError names the attachment that failed.
type attachError struct {
	name string
	err  error
}

func (e *attachError) Error() string { return e.name + ": " + e.err.Error() }
func (e *attachError) Unwrap() error { return e.err }

// attach streams one file from its source to Centercode.
func (d *delivery) attach(ctx context.Context, timer filesTimer, name string, a mapping.Attachment, key string) error {
	endpoint, err := d.endpoint(a)
	if err != nil {
		return err
	}
	if d.uploads != nil {
		if err := d.uploads.Acquire(timer.sources, 1); err != nil {
			return err
		}
		defer d.uploads.Release(1)
	}
	if err := d.stillWell(ctx); err != nil {
		return err
	}
	file, err := d.open(timer.sources, a)
	if err != nil {
		return err
	}
	defer file.Close()
	body := d.watch(file)
	if name := attachment.CleanName(a.Filename); name != "" {
		file.Name = name
	}
	var written int64
	err = d.exchange(ctx, exchange{
		announce: func(ctx context.Context) error { return d.claim.Attaching(ctx, name) },
		send: func() (err error) {
			written, err = d.Centercode.AddFile(ctx, centercode.FileRequest{
				Endpoint: endpoint, APIKey: key, Field: a.Field, Name: file.Name,
				ContentType: file.ContentType, Size: file.Size, Body: body, GiveUp: timer.giveUp,
				Reopen: func(context.Context) (io.ReadCloser, int64, error) {
					again, err := d.open(timer.sources, a)
					if err != nil {
						return nil, 0, err
					}
					body = d.watch(again)
					return body, again.Size, nil
				},
			})
			return body.judge(ctx, err)
		},
		record: func(ctx context.Context) error {
			d.out.Attachments++
			d.out.AttachmentBytes += written
			return d.claim.Attached(ctx, name, ledger.Attachment{Name: file.Name, Bytes: written})
		},
	})
	if lost, ok := errors.AsType[*lostAnswerError](err); ok {
		lost.again = a.OnLostAnswer == mapping.Retry
	}
	return err
}

// endpoint returns where the attachment goes: the route's endpoint, otherwise the one in
// Centercode's answer.
func (d *delivery) endpoint(a mapping.Attachment) (string, error) {
	entry := d.claim.Entry()
	if endpoint := a.EndpointFor(entry.TicketID); endpoint != "" && (entry.TicketID != "" || endpoint == a.Endpoint) {
		if err := d.Centercode.CheckEndpoint(endpoint); err != nil {
			return "", &centercode.Error{Op: centercode.OpAddFile, Final: true, Err: fmt.Errorf("the attachment's endpoint %w", err)}
		}
		return endpoint, nil
	}
	endpoint, ok := centercode.FileEndpoint(entry.Files, a.Element)
	if !ok && len(entry.AnswerKeys) > 0 {
		return "", final(queue.ReasonAttachmentEndpoint, "no endpoint for the file element %q: Centercode's answer has the keys %s; "+
			"name the element as Centercode does, or set the attachment's endpoint in fairbridge.yaml", a.Element, strings.Join(entry.AnswerKeys, ", "))
	}
	if !ok {
		return "", final(queue.ReasonAttachmentEndpoint, "no endpoint for the file element %q: no answer from Centercode names one, since it was empty, "+
			"or the ticket was found by a look-up or a person; set the attachment's endpoint in fairbridge.yaml", a.Element)
	}
	if err := d.Centercode.CheckEndpoint(endpoint); err != nil {
		return "", final(queue.ReasonAttachmentEndpoint, "the endpoint that Centercode's answer names for the file element %q %v", a.Element, err)
	}
	return endpoint, nil
}
