package ingest

import (
	"slices"
	"time"
)

// Reason is the word for why a request was not accepted. It is a dimension of a
// metric and stands in logs and databases, so a word never changes its meaning.
type Reason string

// The reasons of what is ignored.
const (
	// ReasonUnwanted: no route names the event's kind.
	ReasonUnwanted Reason = "unwanted"
	// ReasonNoEvent: the payload does not say of which kind it is, as that of
	// TestFairy's "Test" button may not.
	ReasonNoEvent Reason = "no_event"
)

// The reasons of what is refused.
const (
	// The three of strangers, who do not know the webhook's URL.
	ReasonUnknownPath Reason = "unknown_path"
	ReasonMethod      Reason = "method_not_allowed"
	ReasonNoToken     Reason = "no_token"
	// ReasonWrongToken is most likely a TestFairy that was not told of a new
	// token, and then each such request is a feedback.
	ReasonWrongToken Reason = "wrong_token"
	// What cannot be taken though the token is right.
	ReasonTooLarge         Reason = "too_large"
	ReasonTooLargeForQueue Reason = "too_large_for_queue" // once it is escaped
	ReasonNotJSON          Reason = "not_json_object"
	ReasonTooDeep          Reason = "nested_too_deep"
	ReasonBadBase64        Reason = "bad_base64"
	ReasonBadGzip          Reason = "bad_gzip"
	// What is no fault of the caller's.
	ReasonTokenUnreadable Reason = "token_unreadable"
	ReasonNotQueued       Reason = "not_queued"
	// What is refused in front of the handler: by the embedded listener, and
	// the first two by API Gateway.
	ReasonTooManyRequests Reason = "too_many_requests"
	ReasonHandlerFailed   Reason = "handler_failed"
	ReasonHeadTooLarge    Reason = "head_too_large"
	ReasonTooBusy         Reason = "too_busy"
	ReasonBodyCutOff      Reason = "body_cut_off"
)

// Strange reports whether a request that was refused for the reason came most
// likely from somebody who does not know the webhook's URL, so that nothing of
// TestFairy's was lost.
func (r Reason) Strange() bool {
	return slices.Contains([]Reason{ReasonUnknownPath, ReasonMethod, ReasonNoToken, ReasonHeadTooLarge}, r)
}

// Refusal is a request that was answered 4xx or 5xx, as an operator sees it: it
// may be a feedback that is lost. It holds names of fields, and no value.
type Refusal struct {
	At     time.Time `json:"time"`
	Status int       `json:"status"`
	Reason Reason    `json:"reason"`
	// Bytes is the length of the body, as far as it is known.
	Bytes int `json:"bytes,omitempty"`
	// Fields names the fields of the payload, as far as they could be read.
	Fields []string `json:"fields,omitempty"`
}

// RefusalCount is how many requests were refused for a reason.
type RefusalCount struct {
	Status int    `json:"status"`
	Reason Reason `json:"reason"`
	Count  int    `json:"count"`
	// Last is when the last of them was refused.
	Last time.Time `json:"last"`
}

// RefusedKept is how many refused webhooks are remembered, in either home.
const RefusedKept = 100

// Refused is what a home remembers of the requests that were refused.
type Refused struct {
	// Last is the last hundred, the latest first.
	Last []Refusal `json:"last"`
	// Counts has one count a status and reason, in their order, since the home
	// began to remember.
	Counts []RefusalCount `json:"counts"`
}

// Refusal returns the outcome as a refusal; false if it is none.
func (o Outcome) Refusal(at time.Time) (Refusal, bool) {
	if o.Result != Rejected && o.Result != Failed {
		return Refusal{}, false
	}
	return Refusal{At: at, Status: o.Status, Reason: o.Reason, Bytes: o.Bytes, Fields: o.Fields}, true
}
