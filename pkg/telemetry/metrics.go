package telemetry

import (
	"time"

	"fairbridge/pkg/ingest"
	"fairbridge/pkg/worker"
)

// The metrics' names in CloudWatch. Package metrics derives Prometheus's from them.
const (
	// Received counts every request; those that are not Ignored, Rejected or Failed were
	// accepted.
	Received = "Received"
	Ignored  = "Ignored"  // by ingest and by the worker
	Rejected = "Rejected" // 4xx
	Failed   = "Failed"   // 5xx
	// Among the rejected ones, WrongToken may come from TestFairy, and Lost does, since the
	// token was right; TestFairy is not known to retry.
	WrongToken = "WrongToken"
	Lost       = "Lost"

	TicketsCreated             = "TicketsCreated"
	Duplicates                 = "Duplicates"
	Retries                    = "Retries"
	HandedOver                 = "HandedOver" // to the files queue
	HandedBack                 = "HandedBack"
	DeadLetters                = "DeadLetters" // by reason, too
	Attachments                = "Attachments"
	AttachmentBytes            = "AttachmentBytes"
	OptionalAttachmentsSkipped = "OptionalAttachmentsSkipped"
	WebhookToTicket            = "WebhookToTicket"

	// What waits, its age since the webhook, and for how long the breaker has been open or
	// the bridge paused. They have data for as long as that lasts.
	Waiting     = "Waiting"
	WaitingAge  = "WaitingAge"
	BreakerOpen = "BreakerOpen"
	KeyRefused  = "KeyRefused"
	Paused      = "Paused"
)

// CloudWatch's units.
const (
	count        = "Count"
	bytes        = "Bytes"
	milliseconds = "Milliseconds"
	seconds      = "Seconds"
)

// Metric is one value of an outcome.
type Metric struct {
	Name  string
	Unit  string // CloudWatch's
	Value int64
	// PerReason says that it is also counted under the outcome's reason.
	PerReason bool
}

type values []Metric

// add appends a metric unless it is zero.
func (v *values) add(name, unit string, value int64) {
	if value > 0 {
		*v = append(*v, Metric{Name: name, Unit: unit, Value: value})
	}
}

// OfIngest returns the metrics of one request.
func OfIngest(o ingest.Outcome) []Metric {
	var v values
	v.add(Received, count, 1)
	switch o.Result {
	case ingest.Ignored:
		v.add(Ignored, count, 1)
	case ingest.Rejected:
		v.add(Rejected, count, 1)
		switch {
		case o.Reason == ingest.ReasonWrongToken:
			v.add(WrongToken, count, 1)
		case !o.Reason.Strange():
			v.add(Lost, count, 1)
		}
	case ingest.Failed:
		v.add(Failed, count, 1)
	}
	return v
}

// OfWorker returns the metrics of one outcome. Waiting deliveries are received again and
// again, so the alarms have data for as long as the breaker is open.
func OfWorker(o worker.Outcome) []Metric {
	var v values
	switch o.Result {
	case worker.Created:
		v.add(TicketsCreated, count, 1)
		v = append(v, Metric{Name: WebhookToTicket, Unit: milliseconds, Value: o.Age.Milliseconds()}) // also if it is 0
	case worker.Duplicate:
		v.add(Duplicates, count, 1)
	case worker.Ignored:
		v.add(Ignored, count, 1)
	case worker.Retry:
		v.add(Retries, count, 1)
		v.add(WaitingAge, seconds, int64(o.Age.Seconds()))
	case worker.Held:
		v.add(Waiting, count, int64(len(o.Receipts)))
		v.add(WaitingAge, seconds, int64(o.Age.Seconds()))
	case worker.HandedOver:
		v.add(HandedOver, count, 1)
	case worker.HandedBack:
		v.add(HandedBack, count, 1)
		v.add(WaitingAge, seconds, int64(o.Age.Seconds()))
	case worker.Dead:
		v = append(v, Metric{Name: DeadLetters, Unit: count, Value: 1, PerReason: o.Reason != ""})
	}
	// A failed attempt on a project that is not well says so too: with little traffic, there
	// may be no other outcome.
	since := max(1, int64(time.Since(o.Hold.Since).Seconds()))
	if o.Hold.Open {
		v.add(BreakerOpen, seconds, since)
	}
	if o.Hold.KeyRefused {
		v.add(KeyRefused, count, 1)
	}
	if o.Hold.Paused {
		v.add(Paused, seconds, since)
	}
	v.add(Attachments, count, int64(o.Attachments))
	v.add(AttachmentBytes, bytes, o.AttachmentBytes)
	v.add(OptionalAttachmentsSkipped, count, int64(len(o.Skipped)))
	return v
}
