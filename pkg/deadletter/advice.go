package deadletter

import (
	"strings"

	"fairbridge/pkg/home"
	"fairbridge/pkg/ledger"
	"fairbridge/pkg/queue"
)

// Advice says in words what a dead letter means and what to do. The same words
// are in docs/dead-letters.md, which a test holds against these.
type Advice struct {
	What  string `json:"what"`
	Steps []Step `json:"steps"`
}

// Step is something to do, and the command for it if there is one. In the command
// {id} stands for the delivery id.
type Step struct {
	Text    string `json:"text"`
	Command string `json:"command,omitempty"`
}

const replayID = "dlq replay {id} --wait"

// What there is to say.
var (
	AdviceMalformed = Advice{
		"The message is not one that FairBridge writes, or its event cannot be read.",
		[]Step{
			{"If a field of the event is wrong or missing, set it.", "dlq replay {id} --set event=feedback --wait"},
			{"If something else writes to the queue, stop it, and drop the letter.", "dlq drop {id} --because 'not ours'"},
		},
	}
	AdviceUnroutable = Advice{
		"No route in fairbridge.yaml wants the event.",
		[]Step{
			{"Add a route that matches it; one with `ignore: true` if nobody wants such events.", ""},
			{"Deploy the new fairbridge.yaml (a bridge on this machine reads it by itself), and replay.", replayID},
		},
	}
	AdviceMapping = Advice{
		"The route cannot map the event: a template fails, a required value is empty, or a choice is not in its list. The problem names the line of fairbridge.yaml.",
		[]Step{
			{"Correct fairbridge.yaml, and see the request that it makes now.", "dlq replay {id} --dry-run --config fairbridge.yaml"},
			{"Deploy it (a bridge on this machine reads it by itself), and replay.", replayID},
			{"Or correct the payload.", "dlq replay {id} --set FIELD=VALUE --wait"},
		},
	}
	AdviceRejected = Advice{
		"Centercode refused the ticket for good. Most often the submitter is not a user of the project; otherwise a value is not one of the form's choices, a required one is missing, or the External Source's key is wrong.",
		[]Step{
			{"An invalid submitter: make the tester a user of the project, or give the External Source a Default Submitter, and replay.", replayID},
			{"Or send it in another person's name.", "dlq replay {id} --set email=SOMEBODY@EXAMPLE.COM --wait"},
			{"A value that the form does not take: correct fairbridge.yaml, deploy it (a bridge on this machine reads it by itself), and replay.", replayID},
		},
	}
	AdviceRejectedFile = Advice{
		"Centercode made the ticket and refused a file for it.",
		[]Step{
			{"Give the attachment the form field, the file name or the endpoint that Centercode takes, in fairbridge.yaml; deploy it (a bridge on this machine reads it by itself), and replay: only what is missing is sent.", replayID},
			{"Or do without the file: empty the field that it comes from.", "dlq replay {id} --set screenshotUrl= --wait"},
		},
	}
	AdviceNotFound = Advice{
		"Centercode knows no such endpoint: the key of the project or of the External Source has changed, and so the endpoint has.",
		[]Step{
			{"Copy the keys out of the endpoint in Centercode into `project` and `source` in fairbridge.yaml, and look at the URL.", "dlq replay {id} --dry-run --config fairbridge.yaml"},
			{"Deploy it (a bridge on this machine reads it by itself), and replay all that failed so.", "dlq replay --reason not_found --yes --wait"},
		},
	}
	AdviceNotFoundFile = Advice{
		"Centercode made the ticket, but does not know the endpoint of its file, or the ticket has been deleted.",
		[]Step{
			{"Correct the attachment's `element` or `endpoint` in fairbridge.yaml; deploy it (a bridge on this machine reads it by itself), and replay: only what is missing is sent.", replayID},
			{"If the ticket was deleted on purpose, drop the letter.", "dlq drop {id} --because 'the ticket was deleted'"},
		},
	}
	AdviceAmbiguous = Advice{
		"The answer to the request for the ticket was lost. Centercode may have made the ticket, or not; FairBridge does not make a second one without your word.",
		[]Step{
			{"Look in Centercode for a ticket with this delivery id, or with this text and submitter.", ""},
			{"There is one: go on with it.", "dlq replay {id} --as-created TICKET --wait"},
			{"There is none: make it.", "dlq replay {id} --create-again --wait"},
		},
	}
	AdviceAmbiguousFile = Advice{
		"The ticket is made, but the answer to the upload of a file was lost: the ticket may have the file, or not.",
		[]Step{
			{"Look at the ticket in Centercode. It has the file: go on without sending it.", "dlq replay {id} --as-created TICKET --wait"},
			{"It has not: send it again.", "dlq replay {id} --create-again --wait"},
		},
	}
	AdviceTwin = Advice{
		"'fairbridge reconcile' has sent a feedback of the same session with the same text, which had not come: this is its webhook, late, or the tester has said the same twice. The problem names the other delivery.",
		[]Step{
			{"Look at both. It is the same feedback: drop this one.", "dlq drop {id} --because 'reconciled'"},
			{"It is another: make its ticket.", "dlq replay {id} --create-again --wait"},
		},
	}
	AdviceSource = Advice{
		"The ticket is made, but a file cannot be had from where it is: it has expired or was deleted, asks for a login, is too large, or its host is not on the list.",
		[]Step{
			{"Put the file where it can be had and name it; only what is missing is sent.", "dlq replay {id} --set screenshotUrl=https://... --wait"},
			{"Or do without it.", "dlq replay {id} --set screenshotUrl= --wait"},
			{"A host that you trust goes into `sources.hosts` in fairbridge.yaml. If tickets are complete without the file, give the attachment `optional: true`.", ""},
		},
	}
	AdviceEndpoint = Advice{
		"The ticket is made, but Centercode's answer named no endpoint for a file. The problem quotes the answer's keys.",
		[]Step{
			{"Name the attachment's `element` in fairbridge.yaml as Centercode does, or give it an `endpoint`.", ""},
			{"Deploy it (a bridge on this machine reads it by itself), and replay all that failed so: only what is missing is sent.", "dlq replay --reason attachment_endpoint --yes --wait"},
			{"If the answer named no ticket either (the ledger has none), find it in Centercode and say which it is.", "dlq replay {id} --as-created TICKET --wait"},
		},
	}
	AdviceExhausted = Advice{
		"Each try failed for a reason that passes, until the waits between them came to `retry.for`, 72 hours. While all of Centercode is away deliveries are held, and nothing is given up: this one failed by itself.",
		[]Step{
			{"Wait until it is well again ('fairbridge status' asks), and replay all of them, slowly.", "dlq replay --reason retries_exhausted --rate 20/s --yes --wait"},
		},
	}
	AdviceDied = Advice{
		"Five attempts in a row ended without recording a result while the delivery was the only work of its worker, or SQS gave its message up: it is likely to be what ends its workers, such as by the memory that it needs.",
		[]Step{
			{"Find in the worker's log why it ended, and fix that. Then replay it.", replayID},
		},
	}
	AdviceHeld = Advice{
		"It failed for a reason that passes, or was held back, for 13 days: a day later SQS would have forgotten it. It is safe for another 14 days.",
		[]Step{
			{"Wait until it is well again ('fairbridge status' asks), and replay all of them, slowly.", "dlq replay --reason held_too_long --rate 20/s --yes --wait"},
		},
	}
	AdviceKey = Advice{
		"Centercode does not take the API key.",
		[]Step{
			{"Store the right one. A bridge that runs reads a refused key again, at most every 10 seconds.", "secrets put centercode-api-key"},
			{"Replay all that failed so.", "dlq replay --reason retries_exhausted --status 401 --status 403 --yes --wait"},
		},
	}
	AdviceLeftover = Advice{
		"The delivery is completed: this letter is an old copy, and to replay it does nothing.",
		[]Step{{"Drop it, and all others that are done.", "dlq drop --done"}},
	}
	AdviceDropped = Advice{
		"The ledger says that it was dropped: the command died before it deleted the letter. To replay it does nothing.",
		[]Step{
			{"Drop it again, and all others that are done.", "dlq drop --done"},
			{"Or have it back: keep it in a file,", "dlq export {id} --output letter.jsonl"},
			{"put it into the queue as a new letter,", "dlq import letter.jsonl"},
			{"and replay that.", replayID},
		},
	}
)

// EveryAdvice returns all that there is.
func EveryAdvice() []Advice {
	return []Advice{
		AdviceMalformed, AdviceUnroutable, AdviceMapping, AdviceRejected, AdviceRejectedFile, AdviceNotFound, AdviceNotFoundFile,
		AdviceAmbiguous, AdviceAmbiguousFile, AdviceTwin, AdviceSource, AdviceEndpoint, AdviceExhausted, AdviceDied, AdviceHeld, AdviceKey, AdviceLeftover, AdviceDropped,
	}
}

// AdviceFor chooses the advice for a letter, by what the ledger knows of its
// delivery; known is false if that is nothing.
func AdviceFor(l Letter, e ledger.Entry, known bool) Advice {
	file := l.Stage == queue.StageAttach
	switch state := e.Progress(); {
	case known && e.State == ledger.Completed:
		return AdviceLeftover
	case known && e.Dropped() && l.Generation < e.Generation:
		return AdviceDropped
	case known && e.Attaching != "":
		return AdviceAmbiguousFile
	case known && e.Twin != "":
		return AdviceTwin
	case known && state == ledger.Creating:
		return AdviceAmbiguous
	case known && state == ledger.Created:
		file = true
	}
	switch l.Reason {
	case queue.ReasonMalformed:
		return AdviceMalformed
	case queue.ReasonUnroutable:
		return AdviceUnroutable
	case queue.ReasonMapping:
		return AdviceMapping
	case queue.ReasonAttachmentSource:
		return AdviceSource
	case queue.ReasonAttachmentEndpoint:
		return AdviceEndpoint
	case queue.ReasonHeldTooLong:
		return AdviceHeld
	case queue.ReasonWorkerDied:
		return AdviceDied
	case queue.ReasonNotFound:
		return either(file, AdviceNotFoundFile, AdviceNotFound)
	case queue.ReasonRejected:
		return either(file, AdviceRejectedFile, AdviceRejected)
	case queue.ReasonAmbiguous:
		return either(file, AdviceAmbiguousFile, AdviceAmbiguous)
	}
	return either(l.Status == 401 || l.Status == 403, AdviceKey, AdviceExhausted)
}

func either(first bool, a, b Advice) Advice {
	if first {
		return a
	}
	return b
}

// CommandFor returns the step's command for a delivery of the bridge at a place, ""
// if the step has none.
func (s Step) CommandFor(at home.Place, id string) string {
	if s.Command == "" {
		return ""
	}
	return at.Command(strings.ReplaceAll(s.Command, "{id}", queue.ShortID(id)))
}
