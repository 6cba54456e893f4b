package ingest

import (
	"slices"
	"time"
)

// Reason is a word for why a request was not accepted. It is a metric's dimension and is
// stored in logs and databases, so its meaning never changes.
type Reason string

// The reasons of ignored requests.
const (
	// ReasonUnwanted: no route matches the event's kind.
	ReasonUnwanted Reason = "unwanted"
	// ReasonNoEvent: the payload has no kind, as that of TestFairy's "Test" button may not.
	ReasonNoEvent Reason = "no_event"
)

// The reasons of refused requests.
const (
	// These three come from strangers, who do not know the webhook's URL.
	ReasonUnknownPath Reason = "unknown_path"
	ReasonMethod      Reason = "method_not_allowed"
	ReasonNoToken     Reason = "no_token"
	// ReasonWrongToken most likely means that TestFairy still uses an old token, and then
	// each such request is a lost feedback.
	ReasonWrongToken Reason = "wrong_token"
	// These have the right token and cannot be accepted.
	ReasonTooLarge         Reason = "too_large"
	ReasonTooLargeForQueue Reason = "too_large_for_queue" // once it is escaped
	ReasonNotJSON          Reason = "not_json_object"
	ReasonTooDeep          Reason = "nested_too_deep"
	ReasonBadBase64        Reason = "bad_base64"
	ReasonBadGzip          Reason = "bad_gzip"
	// These are not the caller's fault.
	ReasonTokenUnreadable Reason = "token_unreadable"
	ReasonNotQueued       Reason = "not_queued"
	// These are refused before the handler: by the embedded listener, and the first two by
	// API Gateway.
	ReasonTooManyRequests Reason = "too_many_requests"
	ReasonHandlerFailed   Reason = "handler_failed"
	ReasonHeadTooLarge    Reason = "head_too_large"
	ReasonTooBusy         Reason = "too_busy"
	ReasonBodyCutOff      Reason = "body_cut_off"
)

// RefusalReasons returns every reason for which a bridge or its listener refuses a request.
func RefusalReasons() []Reason {
	return []Reason{
		ReasonUnknownPath, ReasonMethod, ReasonNoToken, ReasonWrongToken, ReasonTooLarge, ReasonTooLargeForQueue, ReasonNotJSON,
		ReasonTooDeep, ReasonBadBase64, ReasonBadGzip, ReasonTokenUnreadable, ReasonNotQueued, ReasonHandlerFailed, ReasonHeadTooLarge,
		ReasonTooBusy, ReasonBodyCutOff,
	}
}

// Strange reports whether a request refused for this reason most likely came from somebody
// who does not know the webhook's URL, so that no feedback was lost.
func (r Reason) Strange() bool {
	return slices.Contains([]Reason{ReasonUnknownPath, ReasonMethod, ReasonNoToken, ReasonHeadTooLarge}, r)
}

// Refusal is a request that was answered 4xx or 5xx, as an operator sees it: it may be a
// lost feedback. It contains names of fields, and no values.
type Refusal struct {
	At     time.Time `json:"time"`
	Status int       `json:"status"`
	Reason Reason    `json:"reason"`
	// Bytes is the length of the body, if known.
	Bytes int `json:"bytes,omitempty"`
	// Fields names the fields of the payload, as far as they could be read.
	Fields []string `json:"fields,omitempty"`
}

// RefusalCount is how many requests were refused with a status and reason.
type RefusalCount struct {
	Status int    `json:"status"`
	Reason Reason `json:"reason"`
	Count  int    `json:"count"`
	// Last is when the last one was refused.
	Last time.Time `json:"last"`
}

// RefusedKept is how many refused webhooks a home keeps.
const RefusedKept = 100

// Refused is a home's record of refused requests.
type Refused struct {
	// Last is the last hundred, the latest first.
	Last []Refusal `json:"last"`
	// Counts has one count for each status and reason, sorted, since the home began to
	// count.
	Counts []RefusalCount `json:"counts"`
}

// Refusal returns the outcome as a refusal; false if it is not one.
func (o Outcome) Refusal(at time.Time) (Refusal, bool) {
	if o.Result != Rejected && o.Result != Failed {
		return Refusal{}, false
	}
	return Refusal{At: at, Status: o.Status, Reason: o.Reason, Bytes: o.Bytes, Fields: o.Fields}, true
}
