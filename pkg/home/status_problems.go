package home

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize/english"

	"fairbridge/pkg/breaker"
	"fairbridge/pkg/ledger"
	"fairbridge/pkg/queue"
	"fairbridge/pkg/secrets"
	"fairbridge/pkg/terminal"
)

const (
	// waitsLong is how long a feedback may wait or be tried; it is the default of the
	// stack's alarm OldestMessage.
	waitsLong = time.Hour
	// behind is how long queue and index may differ while deliveries die and come back.
	behind = 5 * time.Minute
	// lately is how long something that nobody can undo is reported.
	lately = 24 * time.Hour
	// named is how many deliveries a problem names.
	named = 3
)

// findings are what was read in addition to the [Status], to find the problems in.
type findings struct {
	// recent are the last changed entries, waiting those that wait for a person, nameless
	// those with a ticket without an id.
	recent, waiting, nameless []ledger.Entry
	// queued and letters are the deliveries with a message in the work queue and the
	// dead-letter queue; nil on AWS, where messages can only be counted.
	queued, letters map[string]time.Time
	// health is the breaker state of the Centercode projects.
	health []breaker.State
	// lacks are what the ledger's table lacks.
	lacks []string
}

// problems adds what needs a person: what, why, and what to do. It returns whether
// Centercode is known not to respond.
func (h *Home) problems(s *Status, f findings, now time.Time) (away bool) {
	h.notRunning(s)
	s.Problems = append(s.Problems, f.lacks...)
	h.missingSecrets(s)
	s.tellMapping(h)
	away = s.tellHealth(h, f.health, now)
	h.triedProblems(s, f, now)
	h.letterProblems(s, f, now)
	s.lookupProblems(f, now)
	s.namelessProblem(f, now)
	if s.Refused != nil {
		if text := h.refusedProblem(*s.Refused, now); text != "" {
			s.problem("%s", text)
		}
	}
	return away
}

func (h *Home) notRunning(s *Status) {
	if s.Runs == nil || *s.Runs || s.Work == nil || s.Work.Total() == 0 {
		return
	}
	s.problem("no bridge runs in this folder, and %s: %s", waits(s.Work.Total(), "feedback"), h.Command("run"))
}

func (h *Home) missingSecrets(s *Status) {
	for _, secret := range s.Secrets {
		// A running bridge on this machine has the secret, in its own environment if
		// nowhere else: it would not have started without it.
		if running := s.Runs != nil && *s.Runs; secret.Exists || secret.Hidden || running || !h.needs(secret.Name, s.Centercode.BaseURL) {
			continue
		}
		how := "secrets put " + secret.Name
		if secret.Name == secrets.WebhookToken {
			how += " --generate"
		}
		s.problem("%s is missing: %s", secret.Name, h.Command(how))
	}
}

// needs reports whether the bridge needs a secret. One on this machine generates the
// webhook's token when it starts, and its simulator needs no key.
func (h *Home) needs(name, baseURL string) bool {
	switch name {
	case secrets.WebhookToken:
		return h.OnAWS()
	case secrets.CentercodeAPIKey:
		return h.OnAWS() || baseURL != ""
	}
	return false
}

// triedProblems are those of deliveries that are still being tried: a key that is rejected
// or missing, and deliveries that make no progress.
func (h *Home) triedProblems(s *Status, f findings, now time.Time) {
	var key, secret, failing []ledger.Entry
	for _, e := range f.recent {
		if e.State == ledger.Completed || e.State == ledger.Dead || e.Last == nil {
			continue
		}
		refused := (e.Last.Status == 401 || e.Last.Status == 403) &&
			slices.Contains([]queue.Stage{queue.StageCreate, queue.StageLookUp}, queue.Stage(e.Last.Stage))
		switch {
		case refused:
			key = append(key, e)
		case e.Last.Stage == string(queue.StageSecret):
			secret = append(secret, e)
		case e.Waited >= waitsLong:
			failing = append(failing, e)
		}
	}
	known := slices.ContainsFunc(f.health, func(p breaker.State) bool { return p.Open() && p.Fault.KeyRefused() })
	held := slices.ContainsFunc(f.health, func(p breaker.State) bool { return p.Open() || p.Paused(now) })
	if len(key) > 0 && !known {
		s.problem("Centercode refuses the API key, and %s (%s): if the key was replaced or withdrawn, %s",
			waits(len(key), "feedback"), key[0].Last.Text, h.Command("secrets put "+secrets.CentercodeAPIKey))
	}
	if len(secret) > 0 {
		s.problem("a secret cannot be read, and %s (%s): %s",
			waits(len(secret), "feedback"), secret[0].Last.Text, h.Command("secrets list"))
	}
	if len(failing) > 0 {
		s.problem("%s failing for more than an hour: %s (last at %s: %s): %s",
			english.Plural(len(failing), "feedback is", "feedbacks are"), ids(failing), failing[0].Last.Stage, failing[0].Last.Text,
			h.Command("show "+ids(failing[:1])))
	}
	if s.Work != nil && !s.Work.Oldest.IsZero() && now.Sub(s.Work.Oldest) >= waitsLong && !held && len(failing) == 0 {
		s.problem("the oldest feedback waits since %s, longer than usual: more arrives than is processed, or it is retried again and again; the bridge's log has the reason",
			moment(s.Work.Oldest))
	}
}

// letterProblems are the dead letters, and differences between queue and ledger.
func (h *Home) letterProblems(s *Status, f findings, now time.Time) {
	if s.DeadLetters == nil || s.Work == nil {
		return // it is already reported that they cannot be counted
	}
	without, unknown := h.differences(s, f, now)
	n := s.DeadLetters.Total()
	if f.letters != nil {
		n = len(f.letters) + len(without) // deliveries, as 'dlq list' counts them: copies are no additional work
	}
	if n > 0 {
		s.letters = fmt.Sprintf("%s: %s", terminal.Count(n, "dead letter"), h.Command("dlq list"))
		s.problem("%s", s.letters)
	}
	if len(without) > 0 {
		s.problem("%s without a letter in the dead-letter queue: %s; somebody has deleted it, or it has expired, and the ledger has its message: %s",
			english.Plural(len(without), "delivery is dead", "deliveries are dead"), ids(without), h.Command("show "+ids(without[:1])))
	}
	if unknown > 0 {
		s.problem("%s that the ledger does not know as dead: %s", terminal.Count(unknown, "dead letter"), h.Command("dlq adopt"))
	}
}

// differences returns the dead deliveries without a letter, and the number of letters
// without a dead delivery, once they have lasted. On AWS letters can only be counted, and
// replayed ones that still wait may be any of them.
func (h *Home) differences(s *Status, f findings, now time.Time) (without []ledger.Entry, unknown int) {
	dead := map[string]bool{}
	var lasting []ledger.Entry
	for _, e := range f.waiting {
		dead[e.DeliveryID] = true
		if now.Sub(e.UpdatedAt) >= behind {
			lasting = append(lasting, e)
		}
	}
	if f.letters == nil {
		missing := len(lasting) - s.DeadLetters.Total() - s.Work.Total()
		// It is unknown which ones are missing; those that died first have expired first.
		return lasting[:max(missing, 0)], max(s.DeadLetters.Total()-len(f.waiting), 0)
	}
	for _, e := range lasting {
		_, letter := f.letters[e.DeliveryID]
		_, replayed := f.queued[e.DeliveryID]
		if !letter && !replayed {
			without = append(without, e)
		}
	}
	for id, sent := range f.letters {
		if id != "" && !dead[id] && now.Sub(sent) >= behind {
			unknown++
		}
	}
	return without, unknown
}

// lookupProblems are look-ups that cannot work, so that requests are parked, or sent again,
// as if there were none.
func (s *Status) lookupProblems(f findings, now time.Time) {
	type route struct{ project, source, dataPackage, column string }
	seen := map[route]bool{}
	for _, e := range slices.Concat(f.waiting, f.recent) {
		last, where := e.Last, e.Where
		if last == nil || where == nil || where.Lookup == nil || last.Stage != string(queue.StageLookUp) || !forGood(last.Status) ||
			e.State != ledger.Dead && now.Sub(last.At) > lately {
			continue
		}
		key := route{where.Project, where.Source, where.Lookup.Package, where.Lookup.Column}
		if seen[key] {
			continue
		}
		seen[key] = true
		s.problem("the look-up of the route to project %s, source %s cannot work (data package %s, column %s): %s; fix its lookup in fairbridge.yaml, or what Centercode shows there",
			key.project, key.source, key.dataPackage, key.column, last.Text)
	}
}

// forGood reports whether a look-up with that answer will fail again; after a success, the
// answer did not match the route.
func forGood(status int) bool {
	switch status {
	case 0, 401, 403, 408, 425, 429:
		return false
	}
	return status < 500
}

// namelessProblem is about tickets that the ledger cannot identify.
func (s *Status) namelessProblem(f findings, now time.Time) {
	of := slices.DeleteFunc(slices.Clone(f.nameless), func(e ledger.Entry) bool { return now.Sub(e.UpdatedAt) > lately })
	if len(of) == 0 {
		return
	}
	s.problem("%s without an id in the last 24 hours, of %s: Centercode's answer did not contain it; with a lookup in the route it is found automatically",
		english.Plural(len(of), "ticket", ""), ids(of))
}

// ids lists the first few deliveries.
func ids(of []ledger.Entry) string {
	var all []string
	for _, e := range of[:min(named, len(of))] {
		all = append(all, queue.ShortID(e.DeliveryID))
	}
	text := strings.Join(all, ", ")
	if more := len(of) - named; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// waits formats how many of something wait.
func waits(n int, what string) string {
	return english.Plural(n, what+" waits", what+"s wait")
}

func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }
