package worker

import (
	"errors"
	"slices"

	"fairbridge/pkg/attachment"
	"fairbridge/pkg/centercode"
	"fairbridge/pkg/ledger"
	"fairbridge/pkg/mapping"
	"fairbridge/pkg/queue"
	"fairbridge/pkg/testfairy"
)

// failure is an error in its parts; a part that it does not have is nil.
type failure struct {
	err    error
	lost   *lostAnswerError
	file   *attachError
	wait   *waitError
	source *attachment.Error
	api    *centercode.Error
	field  *mapping.FieldError
	syntax *testfairy.SyntaxError
	final  *finalError
}

func takeApart(err error) *failure {
	f := &failure{err: err}
	errors.As(err, &f.lost)
	errors.As(err, &f.file)
	errors.As(err, &f.wait)
	errors.As(err, &f.source)
	errors.As(err, &f.api)
	errors.As(err, &f.field)
	errors.As(err, &f.syntax)
	errors.As(err, &f.final)
	return f
}

func (f *failure) answered(statuses ...int) bool {
	return f.api != nil && slices.Contains(statuses, f.api.Status)
}

func (f *failure) found(reason queue.Reason) bool { return f.final != nil && f.final.reason == reason }

// rule is one row of the table in docs/failure-modes.md; what and then are its cells.
type rule struct {
	what, then string
	fits       func(*failure) bool
	decision   decision
}

// rules are tried from the top, and the first that applies decides. Centercode's help
// article on TestFairy feedback says what its statuses mean: 400 is usually an invalid
// submitter, 404 a changed key and so a changed endpoint.
var rules = []rule{
	{
		what:     "another worker has taken over the delivery",
		then:     "nothing more is sent or written, and the message waits",
		fits:     func(f *failure) bool { return errors.Is(f.err, ledger.ErrConflict) },
		decision: decision{action: handBack},
	}, {
		what: "Centercode answers a ticket with a 500 in its own form (JSON with status and description), and the route has a `lookup`",
		then: "looked up after its `settle` time; if there is no ticket, or the look-up cannot work, a retry",
		fits: func(f *failure) bool { return f.lost != nil && f.lost.denied },

		decision: decision{action: answerLost, reason: queue.ReasonAmbiguous},
	}, {
		what: "the answer to a file was lost, in the ways below, after all of the file was sent",
		then: "depends on the attachment's `onLostAnswer`: sent again (`retry`, the default), or dead letter `ambiguous` (`park`); the ticket stays",
		fits: func(f *failure) bool { return f.lost != nil && f.file != nil },

		decision: decision{action: answerLost, reason: queue.ReasonAmbiguous},
	}, {
		what: "the answer to a ticket was lost: no answer after the request was written; 3xx, any 5xx except 503, an unknown status; a web page or an incomplete answer with status 200; an answer that contains both a ticket and a failure; or the worker died before the answer",
		then: "looked up after the `settle` time if the route had a `lookup`, and sent again only if it is not found. Without one, or if the look-up cannot work, it depends on `onLostAnswer`: dead letter `ambiguous` (`park`, the default), or sent again (`retry`)",
		fits: func(f *failure) bool { return f.lost != nil },

		decision: decision{action: answerLost, reason: queue.ReasonAmbiguous},
	}, {
		what:     "at its current speed, a file cannot arrive before the invocation's time ends; the files of a batch are sent one at a time",
		then:     "the rest is handed back at once, for an attempt with the whole time; the wait counts towards `retry.for`",
		fits:     func(f *failure) bool { return f.wait != nil && f.wait.own },
		decision: decision{action: handBack},
	}, {
		what:     "too early or too late: too little of the invocation's time is left, or a ticket's id is looked up later",
		then:     "the message waits",
		fits:     func(f *failure) bool { return f.wait != nil },
		decision: decision{action: handBack},
	}, {
		what:     "five attempts in a row ended without recording a result while the delivery was its worker's only work",
		then:     "dead letter `worker_died`",
		fits:     func(f *failure) bool { return f.found(queue.ReasonWorkerDied) },
		decision: decision{action: bury, reason: queue.ReasonWorkerDied},
	}, {
		what: "`fairbridge reconcile` has sent a feedback with the same session and text, and then its webhook arrives, or another feedback with the same words",
		then: "dead letter `ambiguous`: a person decides which it is",
		fits: func(f *failure) bool { return f.found(queue.ReasonAmbiguous) },

		decision: decision{action: bury, reason: queue.ReasonAmbiguous},
	}, {
		what: "the attachment's source answers 403, 404 or 410 more than 15 minutes after the webhook, or another 4xx (except 408, 421, 425, 429), or 400, 401 or 403 to a signed URL that has expired, and TestFairy's list has no current one (it is only read for reconciled feedback); the file is larger than the limit, is not allowed, has a compression other than gzip, is a web page, or is not a picture where one is required",
		then: "dead letter `attachment_source`; the ticket stays. With `optional: true` the file is left out instead",
		fits: func(f *failure) bool { return f.source != nil && f.source.Permanent },

		decision: decision{action: bury, reason: queue.ReasonAttachmentSource},
	}, {
		what: "the source answers 403, 404 or 410 earlier than that, when the file may not exist yet; it breaks off, is slow, or answers 408, 421, 425, 429 or 5xx; or it redirected to a signed URL that has expired, and the next redirect will have a new signature",
		then: "a retry, after Retry-After if there is one; with `optional: true` as well",
		fits: func(f *failure) bool { return f.source != nil },
	}, {
		what:     "Centercode answers 404, or reports it inside a success",
		then:     "dead letter `not_found`: a key has changed, and so has the endpoint",
		fits:     func(f *failure) bool { return f.answered(404) },
		decision: decision{action: bury, reason: queue.ReasonNotFound},
	}, {
		what:     "400, 405, 409, 410, 411, 413, 415, 422; a refusal inside a success, with such a status or without one; a request that can never be sent, for example to an endpoint on another host",
		then:     "dead letter `rejected`",
		fits:     func(f *failure) bool { return f.api != nil && f.api.Permanent() },
		decision: decision{action: bury, reason: queue.ReasonRejected},
	}, {
		what: "401, 403",
		then: "the API key is read from SSM again, unless that was done in the last 10 s, and a new one is tried at once; then a retry. A 403 with a web page is reported as a firewall's",
		fits: func(f *failure) bool { return f.answered(401, 403) },
	}, {
		what: "429, 503",
		then: "a retry, after Retry-After if there is one; all deliveries of the project wait for it",
		fits: func(f *failure) bool { return f.answered(429, 503) },
	}, {
		what: "408, 425; no connection, or one that broke before the request was written; an upload that ended before all of the file was sent",
		then: "a retry, after Retry-After if there is one: the request did nothing",
		fits: func(f *failure) bool { return f.answered(0, 408, 425) },
	}, {
		what: "500 in Centercode's own form, to a file, or to a ticket whose route has no `lookup`",
		then: "a retry: the request is assumed to have done nothing",
		fits: func(f *failure) bool { return f.api != nil && f.api.OwnFault },
	}, {
		what: "any other failure of a look-up, such as 5xx, a web page or an incomplete answer",
		then: "a retry: a look-up only reads",
		fits: func(f *failure) bool { return f.api != nil },
	}, {
		what:     "FairBridge did not write the message, or its event cannot be read",
		then:     "dead letter `malformed`",
		fits:     func(f *failure) bool { return errors.Is(f.err, queue.ErrMalformed) || f.syntax != nil },
		decision: decision{action: bury, reason: queue.ReasonMalformed},
	}, {
		what:     "no route matches the event",
		then:     "dead letter `unroutable`",
		fits:     func(f *failure) bool { return errors.Is(f.err, mapping.ErrNoRoute) },
		decision: decision{action: bury, reason: queue.ReasonUnroutable},
	}, {
		what:     "a template fails, a required value is empty, or a choice is not in its list",
		then:     "dead letter `mapping`",
		fits:     func(f *failure) bool { return f.field != nil },
		decision: decision{action: bury, reason: queue.ReasonMapping},
	}, {
		what:     "Centercode's answer has no endpoint for an attachment, or one on a host that is not its own, and the route has none",
		then:     "dead letter `attachment_endpoint`; the ticket stays",
		fits:     func(f *failure) bool { return f.found(queue.ReasonAttachmentEndpoint) },
		decision: decision{action: bury, reason: queue.ReasonAttachmentEndpoint},
	}, {
		what: "SQS, the ledger or SSM fails; a bug; anything else",
		then: "a retry, so that such a failure does not turn the whole queue into dead letters",
		fits: func(*failure) bool { return true },
	},
}
