package deadletter

import (
	"strings"

	"fairbridge/pkg/home"
	"fairbridge/pkg/ledger"
	"fairbridge/pkg/queue"
)

// Advice is what a dead letter means and what to do about it. docs/dead-letters.md has the
// same text, which a test compares.
type Advice struct {
	What  string `json:"what"`
	Steps []Step `json:"steps"`
}

// Step is something to do, and the command for it if there is one. In the command, {id} is
// the placeholder for the delivery id.
type Step struct {
	Text    string `json:"text"`
	Command string `json:"command,omitempty"`
}

const replayID = "dlq replay {id} --wait"

// The advice for each situation.
var (
	AdviceMalformed = Advice{
		"FairBridge did not write this message, or its event cannot be read.",
		[]Step{
			{"If a field of the event is wrong or missing, set it.", "dlq replay {id} --set event=feedback --wait"},
			{"If something else writes to the queue, stop it and drop the letter.", "dlq drop {id} --because 'not ours'"},
		},
	}
	AdviceUnroutable = Advice{
		"No route in fairbridge.yaml matches the event.",
		[]Step{
			{"Add a route that matches it, with `ignore: true` if nobody needs such events.", ""},
			{"Deploy the new fairbridge.yaml (a bridge on this machine reloads it on its own) and replay.", replayID},
		},
	}
	AdviceMapping = Advice{
		"The route cannot map the event: a template fails, a required value is empty, or a choice is not in its list. The problem names the line of fairbridge.yaml.",
		[]Step{
			{"Correct fairbridge.yaml and check the request that it produces now.", "dlq replay {id} --dry-run --config fairbridge.yaml"},
			{"Deploy it (a bridge on this machine reloads it on its own) and replay.", replayID},
			{"Or correct the payload.", "dlq replay {id} --set FIELD=VALUE --wait"},
		},
	}
	AdviceRejected = Advice{
		"Centercode permanently refused the ticket. Usually the submitter is not a user of the project. Other causes: a value is not one of the form's choices, a required value is missing, or the External Source's key is wrong.",
		[]Step{
			{"If the submitter is invalid, make the tester a user of the project or give the External Source a Default Submitter, and replay.", replayID},
			{"Or send it in another person's name.", "dlq replay {id} --set email=SOMEBODY@EXAMPLE.COM --wait"},
			{"If the form does not accept a value, correct fairbridge.yaml, deploy it (a bridge on this machine reloads it on its own) and replay.", replayID},
		},
	}
	AdviceRejectedFile = Advice{
		"Centercode created the ticket and refused one of its files.",
		[]Step{
			{"In fairbridge.yaml, give the attachment a form field, file name or endpoint that Centercode accepts. Deploy it (a bridge on this machine reloads it on its own) and replay: only what is missing is sent.", replayID},
			{"Or leave the file out by emptying the field that it comes from.", "dlq replay {id} --set screenshotUrl= --wait"},
		},
	}
	AdviceNotFound = Advice{
		"Centercode does not know this endpoint: the key of the project or of the External Source has changed.",
		[]Step{
			{"Copy the keys from the endpoint shown in Centercode to `project` and `source` in fairbridge.yaml, and check the URL.", "dlq replay {id} --dry-run --config fairbridge.yaml"},
			{"Deploy it (a bridge on this machine reloads it on its own) and replay everything that failed in this way.", "dlq replay --reason not_found --yes --wait"},
		},
	}
	AdviceNotFoundFile = Advice{
		"Centercode created the ticket, but does not know the endpoint of its file, or the ticket has been deleted.",
		[]Step{
			{"Correct the attachment's `element` or `endpoint` in fairbridge.yaml. Deploy it (a bridge on this machine reloads it on its own) and replay: only what is missing is sent.", replayID},
			{"If the ticket was deleted on purpose, drop the letter.", "dlq drop {id} --because 'the ticket was deleted'"},
		},
	}
	AdviceAmbiguous = Advice{
		"The answer to the request for the ticket was lost, so Centercode may or may not have created the ticket. FairBridge does not risk a second one without your confirmation.",
		[]Step{
			{"Look in Centercode for a ticket with this delivery id, or with this text and submitter.", ""},
			{"If there is one, continue with it.", "dlq replay {id} --as-created TICKET --wait"},
			{"If there is none, create it.", "dlq replay {id} --create-again --wait"},
		},
	}
	AdviceAmbiguousFile = Advice{
		"The ticket exists, but the answer to the upload of a file was lost: the ticket may or may not have the file.",
		[]Step{
			{"Look at the ticket in Centercode. If it has the file, continue without sending it.", "dlq replay {id} --as-created TICKET --wait"},
			{"If it does not, send it again.", "dlq replay {id} --create-again --wait"},
		},
	}
	AdviceTwin = Advice{
		"'fairbridge reconcile' has sent a feedback with the same session and text, whose webhook was missing. This is either that webhook, late, or a second feedback with the same words. The problem names the other delivery.",
		[]Step{
			{"Compare the two. If they are the same feedback, drop this one.", "dlq drop {id} --because 'reconciled'"},
			{"If they are not, create a ticket for this one.", "dlq replay {id} --create-again --wait"},
		},
	}
	AdviceSource = Advice{
		"The ticket exists, but one of its files cannot be fetched: it has expired or was deleted, requires a login, is too large, or its host is not on the list.",
		[]Step{
			{"Put the file where it can be fetched, and give its URL; only what is missing is sent.", "dlq replay {id} --set screenshotUrl=https://... --wait"},
			{"Or leave it out.", "dlq replay {id} --set screenshotUrl= --wait"},
			{"Add a host that you trust to `sources.hosts` in fairbridge.yaml. If tickets are complete without the file, give the attachment `optional: true`.", ""},
		},
	}
	AdviceEndpoint = Advice{
		"The ticket exists, but Centercode's answer contained no endpoint for a file. The problem quotes the answer's keys.",
		[]Step{
			{"In fairbridge.yaml, name the attachment's `element` as Centercode does, or give it an `endpoint`.", ""},
			{"Deploy it (a bridge on this machine reloads it on its own) and replay everything that failed in this way: only what is missing is sent.", "dlq replay --reason attachment_endpoint --yes --wait"},
			{"If the answer contained no ticket id either (the ledger has none), find the ticket in Centercode and enter its id.", "dlq replay {id} --as-created TICKET --wait"},
		},
	}
	AdviceExhausted = Advice{
		"Every attempt failed for a temporary reason, until the waits between them added up to `retry.for`, 72 hours by default. During an outage of Centercode deliveries are held and nothing is given up, so this one failed on its own.",
		[]Step{
			{"Wait until the cause is gone ('fairbridge status' checks), then replay all of them, slowly.", "dlq replay --reason retries_exhausted --rate 20/s --yes --wait"},
		},
	}
	AdviceDied = Advice{
		"Five attempts in a row ended without recording a result while the delivery was its worker's only work, or SQS moved its message. The delivery itself probably ends its workers, for example because it needs too much memory.",
		[]Step{
			{"Find out from the worker's log why it ended, and fix that. Then replay the delivery.", replayID},
		},
	}
	AdviceHeld = Advice{
		"It failed for a temporary reason, or was held, for 13 days. A day later it would have reached SQS's retention period. It is safe for another 14 days.",
		[]Step{
			{"Wait until the cause is gone ('fairbridge status' checks), then replay all of them, slowly.", "dlq replay --reason held_too_long --rate 20/s --yes --wait"},
		},
	}
	AdviceKey = Advice{
		"Centercode rejects the API key.",
		[]Step{
			{"Store the right one. A running bridge reads a rejected key again, at most every 10 seconds.", "secrets put centercode-api-key"},
			{"Replay everything that failed in this way.", "dlq replay --reason retries_exhausted --status 401 --status 403 --yes --wait"},
		},
	}
	AdviceLeftover = Advice{
		"The delivery is completed: this letter is an old copy, and replaying it does nothing.",
		[]Step{{"Drop it, and all others that are done.", "dlq drop --done"}},
	}
	AdviceDropped = Advice{
		"The delivery was dropped, but the command ended before it deleted the letter. Replaying it does nothing.",
		[]Step{
			{"Drop it again, and all others that are done.", "dlq drop --done"},
			{"Or restore it: save it to a file,", "dlq export {id} --output letter.jsonl"},
			{"add it to the queue as a new letter,", "dlq import letter.jsonl"},
			{"and replay that.", replayID},
		},
	}
)

// EveryAdvice returns the advice for every situation.
func EveryAdvice() []Advice {
	return []Advice{
		AdviceMalformed, AdviceUnroutable, AdviceMapping, AdviceRejected, AdviceRejectedFile, AdviceNotFound, AdviceNotFoundFile,
		AdviceAmbiguous, AdviceAmbiguousFile, AdviceTwin, AdviceSource, AdviceEndpoint, AdviceExhausted, AdviceDied, AdviceHeld, AdviceKey, AdviceLeftover, AdviceDropped,
	}
}

// adviceOn has the advice for a reason if the letter is about the ticket, and about a file;
// for any other reason, such as retries_exhausted, it depends on the status.
var adviceOn = map[queue.Reason]struct{ ticket, file Advice }{
	queue.ReasonMalformed:          {AdviceMalformed, AdviceMalformed},
	queue.ReasonUnroutable:         {AdviceUnroutable, AdviceUnroutable},
	queue.ReasonMapping:            {AdviceMapping, AdviceMapping},
	queue.ReasonRejected:           {AdviceRejected, AdviceRejectedFile},
	queue.ReasonNotFound:           {AdviceNotFound, AdviceNotFoundFile},
	queue.ReasonAmbiguous:          {AdviceAmbiguous, AdviceAmbiguousFile},
	queue.ReasonAttachmentSource:   {AdviceSource, AdviceSource},
	queue.ReasonAttachmentEndpoint: {AdviceEndpoint, AdviceEndpoint},
	queue.ReasonHeldTooLong:        {AdviceHeld, AdviceHeld},
	queue.ReasonWorkerDied:         {AdviceDied, AdviceDied},
}

// AdviceFor chooses the advice for a letter, using the delivery's ledger entry; nil if there
// is none.
func AdviceFor(l Letter, entry *ledger.Entry) Advice {
	var e ledger.Entry
	if entry != nil {
		e = *entry
	}
	on, known := adviceOn[l.Reason]
	switch state := e.Progress(); {
	case e.State == ledger.Completed:
		return AdviceLeftover
	case e.Dropped() && l.Generation < e.Generation:
		return AdviceDropped
	case e.Attaching != "":
		return AdviceAmbiguousFile
	case e.Twin != "":
		return AdviceTwin
	case state == ledger.Creating:
		return AdviceAmbiguous
	case !known && (l.Status == 401 || l.Status == 403):
		return AdviceKey
	case !known:
		return AdviceExhausted
	case state == ledger.Created || l.Stage == queue.StageAttach:
		return on.file
	}
	return on.ticket
}

// CommandFor returns the step's command for a delivery of the bridge at that place, "" if
// the step has none.
func (s Step) CommandFor(at home.Place, id string) string {
	if s.Command == "" {
		return ""
	}
	return at.Command(strings.ReplaceAll(s.Command, "{id}", queue.ShortID(id)))
}
