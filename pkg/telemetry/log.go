// Package telemetry writes the outcomes of ingest and worker as log lines for CloudWatch:
// one JSON line for each outcome, with its metrics in the same line.
package telemetry

import (
	"context"
	"io"
	"log/slog"
	"sync/atomic"

	"github.com/aws/aws-lambda-go/lambdacontext"
)

// NewLogger returns a logger that writes JSON lines to w with the keys of Powertools for
// AWS Lambda: level, timestamp, message, service, cold_start, function_request_id. See
// https://docs.aws.amazon.com/powertools/python/latest/core/logger/
//
// It uses lambdacontext's key names but not its handler, which names the request requestId,
// and falls back to plain text in which CloudWatch finds no metrics.
func NewLogger(w io.Writer, service string, level slog.Leveler) *slog.Logger {
	h := slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level, ReplaceAttr: lambdacontext.ReplaceAttr})
	return slog.New(&handler{Handler: h, first: new(atomic.Pointer[string])}).With(Service, service)
}

// handler adds the invocation's attributes to each line.
type handler struct {
	slog.Handler
	first *atomic.Pointer[string] // request id of the first invocation
}

// Handle implements [slog.Handler]. Outside an invocation, during the function's init
// phase, it adds nothing.
func (h *handler) Handle(ctx context.Context, r slog.Record) error {
	if lc, ok := lambdacontext.FromContext(ctx); ok {
		h.first.CompareAndSwap(nil, &lc.AwsRequestID)
		r = r.Clone() // the caller may share the record's attributes
		r.AddAttrs(
			slog.Bool("cold_start", *h.first.Load() == lc.AwsRequestID),
			slog.String("function_request_id", lc.AwsRequestID),
		)
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements [slog.Handler].
func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &handler{Handler: h.Handler.WithAttrs(attrs), first: h.first}
}

// WithGroup implements [slog.Handler].
func (h *handler) WithGroup(name string) slog.Handler {
	return &handler{Handler: h.Handler.WithGroup(name), first: h.first}
}
